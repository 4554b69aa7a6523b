"""Pages that a platform may show inside its own, and no other page of ours is.

Browsers keep the cookies of a page in another's frame apart, or take none. So what is shown there holds nothing of
anybody: it leads to a window of its own, in which everything is as always. Where somebody chooses what a link opens the
answer must come from the frame itself; that page knows its user by what the platform has just said, and by no cookie.
"""

from urllib.parse import quote, urlsplit

from flask import request
from werkzeug.wrappers import Response

from attendance.database.models import LtiPlatform
from webapp.serving.security import CONTENT_SECURITY_POLICY, FORMS_STAY, FRAMED_BY_NOBODY

_OF_PATHS = "/%:@!$&'()*+=-._~"
"""What may stand in a path (RFC 3986), without the semicolon and the comma, which end a part of a policy."""
_FRAMES = frozenset({"iframe", "frame", "embed", "object"})


def is_framed() -> bool:
    """Whether the browser says that this answer goes into another page's frame (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Dest", "") in _FRAMES


def allow_frames_of(response: Response, platform: LtiPlatform, *, returns_to: str | None = None) -> None:
    """Let the pages of a platform frame this answer, and be told something by whoever opened its window.

    Args:
        response: which is changed.
        platform: whose pages.
        returns_to: the only address to which a form of this answer is sent, one of the platform's; None: our own.
    """
    _allow(response, " ".join(origins_of(platform)))
    if returns_to is not None:
        policy = response.headers["Content-Security-Policy"]
        policy = policy.replace(FORMS_STAY, f"form-action {form_target(returns_to)}")
        response.headers["Content-Security-Policy"] = policy


def allow_frames_of_anybody(response: Response) -> None:
    """Let any page frame this answer: whose it is that registers is not known yet. It must hold nothing of anybody."""
    _allow(response, "*")


def keep_opener(response: Response) -> None:
    """Leave the window that opened this one within reach, which the policy of our pages cuts off.

    Platforms that open a tool in a window of its own hear there that it is done.
    """
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"


def form_target(url: str) -> str:
    """How a policy names exactly one address to which a form goes (CSP level 3, section 2.3.1; it has no query).

    Args:
        url: whose origin is one of the platform's.
    """
    return f"{origin_of(url)}{quote(urlsplit(url).path or '/', safe=_OF_PATHS)}"


def _allow(response: Response, ancestors: str) -> None:
    policy = CONTENT_SECURITY_POLICY.replace(FRAMED_BY_NOBODY, f"frame-ancestors {ancestors}")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    keep_opener(response)


def origins_of(platform: LtiPlatform) -> list[str]:
    """Whose pages may frame ours: the platform's own, and those that an administrator named."""
    named = [platform.issuer, platform.authorisation_url, *platform.frame_origins.split()]
    origins = [origin for origin in map(origin_of, named) if origin]
    return list(dict.fromkeys(origins)) or ["'none'"]


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an address; None where it has none, or one that would mean more in the policy."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    plain = host.isascii() and all(c.isalnum() or c in ".-" for c in host)
    if parts.scheme not in ("https", "http") or not host or not plain:
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
