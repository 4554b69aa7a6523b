"""ETags: whoever has an answer is told that it is the same (304), and changes only what was looked at (`If-Match`)."""

import hashlib
import re

from flask import Response, abort, request
from flask_babel import gettext

_ALGORITHM = re.compile(r':(?:zstd|br|gzip|deflate)(?=")')
"""What compression adds to a tag."""


def answer_conditionally(response: Response) -> Response:
    """Give what was read a tag, and answer 304 to whoever has it."""
    if request.method not in ("GET", "HEAD") or response.status_code != 200 or response.is_streamed:
        return response
    if "ETag" not in response.headers:
        response.set_etag(hashlib.sha256(response.get_data()).hexdigest()[:32])
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Authorization")
    asked = request.environ
    if "HTTP_IF_NONE_MATCH" in asked:
        asked = {**asked, "HTTP_IF_NONE_MATCH": _ALGORITHM.sub("", asked["HTTP_IF_NONE_MATCH"])}
    response.make_conditional(asked)
    return response


def version_tag(version: int | str, shown: str) -> str:
    """The tag of something with a version: another whenever what is shown of it is."""
    return f"{version}-{hashlib.sha256(shown.encode()).hexdigest()[:16]}"


def asked_version(now: int) -> int | None:
    """The version that `If-Match` asks for, as `version_tag` or alone in quotes; None for `*`, whatever there is.

    Without the header the answer is 428; with a tag that is no version's, 412.

    Args:
        now: the version that there is, which is taken where it is among several.
    """
    heads = asked_heads()
    if heads is None:
        return None
    versions = [int(head) for head in heads if head.isascii() and head.isdecimal() and len(head) < 10]
    if not versions:
        abort(412, changed())
    return now if now in versions else versions[0]


def asked_heads() -> set[str] | None:
    """The first parts of the tags of `If-Match`; None for `*`. Without the header the answer is 428."""
    if "If-Match" not in request.headers:
        abort(428, gettext("Send the ETag of what you looked at in the header If-Match."))
    tags = request.if_match
    if tags.star_tag:
        return None
    return {_ALGORITHM.sub("", f'{tag}"').removesuffix('"').partition("-")[0] for tag in tags.as_set()}


def changed() -> str:
    """Why nothing was changed."""
    return gettext("It is not what you looked at any more: somebody else, or the machine, changed it. Read it again.")
