"""Calling a platform: with an access token that it gives this tool for what it signs (OAuth 2.0, RFC 7523)."""

import json
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import current_app
from joserfc import jwt
from sqlalchemy.orm import Session

from attendance.database.models import LtiPlatform, utc_now
from attendance.database.transactions import transact
from attendance.texts import english
from webapp import outside
from webapp.lti.errors import PlatformError
from webapp.lti.services.keys import SigningKey, signing_key
from webapp.outside import OutsideError, Reply

MEMBERSHIPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
LINE_ITEM, SCORE = (f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}" for name in ("lineitem", "score"))

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_S = 300
_TIMEOUT_S = 20.0
PATIENCE_S = 50.0
"""For all that a person waits for: a web server in front gives up after a minute, and a platform that answers slowly,
page by page, would hold a thread for hours."""
_TOKEN_LIMIT, _REPLY_LIMIT = 100_000, 4_000_000
_SPARE_S = 60
"""A token is asked for anew so long before it ends."""
_LONGEST_TOKEN_S = 3_600
_TOKENS = "attendance_lti_tokens"
_UNAUTHORISED = 401
_MOST_PAGES = 500


@dataclass(frozen=True)
class Registration:
    """This tool at a platform, apart from the database session that it was read in."""

    platform_id: int
    name: str
    client_id: str
    token_url: str

    @classmethod
    def of(cls, platform: LtiPlatform) -> "Registration":
        """What is needed of a row."""
        return cls(platform.id, platform.name, platform.client_id, platform.token_url)


@dataclass
class _Tokens:
    """Access tokens by registration and scope, until they end; of one process. A changed registration has none yet."""

    kept: dict[tuple[Registration, str], tuple[str, float]]
    lock: threading.Lock


class PlatformService:
    """Calls one platform for one purpose."""

    def __init__(
        self, registration: Registration, scope: str, key: SigningKey, *, patience_s: float = PATIENCE_S
    ) -> None:
        """Get ready.

        Args:
            registration: where.
            scope: for what; `MEMBERSHIPS`, `LINE_ITEM` or `SCORE`.
            key: with which this tool signs now.
            patience_s: seconds for all calls together, however lively the platform seems.
        """
        self._ends = time.monotonic() + patience_s
        self._at = registration
        self._scope = scope
        self._key = key

    def get(self, url: str, *, accept: str) -> tuple[Any, Mapping[str, str]]:
        """What is at an address, as JSON, and the headers.

        Raises:
            PlatformError: the platform does not answer, or not with JSON.
        """
        reply = self._call(url, None, {"Accept": accept})
        return _json(reply, self._at.name), reply.headers

    def post(self, url: str, body: Mapping[str, Any], *, kind: str) -> Any:
        """Send JSON to an address; what comes back, None for nothing.

        Raises:
            PlatformError: the platform does not take it.
        """
        reply = self._call(url, json.dumps(body).encode(), {"Content-Type": kind, "Accept": "*/*"})
        return _json(reply, self._at.name) if reply.body.strip() else None

    def pages(self, url: str, *, accept: str) -> Iterator[Any]:
        """What is at an address and at those that follow it (the header `Link` with `rel="next"`), page by page.

        Raises:
            PlatformError: a page cannot be had, leads elsewhere, or there is no end of them.
        """
        origin, seen = _origin(url), set[str]()
        following: str | None = url
        while following is not None:
            if following in seen or len(seen) >= _MOST_PAGES or _origin(following) != origin:
                raise PlatformError(
                    english("%(platform)s gives pages that do not end, or lead elsewhere.", platform=self._at.name)
                )
            seen.add(following)
            page, headers = self.get(following, accept=accept)
            yield page
            following = _next(headers.get("link", ""))

    def _call(self, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        for attempt in range(2):
            authorised = {**headers, "Authorization": f"Bearer {self._token(anew=attempt > 0)}"}
            try:
                if body is None:
                    reply = outside.get(url, limit=_REPLY_LIMIT, timeout=self._left(), headers=authorised)
                else:
                    reply = outside.post(url, body=body, headers=authorised, limit=_REPLY_LIMIT, timeout=self._left())
            except OutsideError as error:
                raise PlatformError(error.args[0]) from None
            if reply.status != _UNAUTHORISED:
                break
        if not 200 <= reply.status < 300:
            raise PlatformError(
                english("%(platform)s answered with %(status)s.", platform=self._at.name, status=str(reply.status)),
                reply.status,
            )
        return reply

    def _left(self) -> float:
        """Seconds for the next call.

        Raises:
            PlatformError: there are none.
        """
        left = self._ends - time.monotonic()
        if left <= 0:
            raise PlatformError(english("%(platform)s takes too long. What it took counts.", platform=self._at.name))
        return min(left, _TIMEOUT_S)

    def _token(self, *, anew: bool) -> str:
        tokens: _Tokens = current_app.extensions.setdefault(_TOKENS, _Tokens({}, threading.Lock()))
        place = (self._at, self._scope)
        with tokens.lock:
            token, ends = tokens.kept.get(place, ("", 0.0))
        if anew or ends < time.monotonic():
            token, lasts = self._ask_for_token()
            with tokens.lock:
                tokens.kept[place] = (token, time.monotonic() + lasts - _SPARE_S)
        return token

    def _ask_for_token(self) -> tuple[str, float]:
        now = int(time.time())
        said = {
            "iss": self._at.client_id,
            "sub": self._at.client_id,
            "aud": self._at.token_url,
            "iat": now,
            "exp": now + _ASSERTION_S,
            "jti": secrets.token_urlsafe(24),
        }
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": jwt.encode({"alg": "RS256", "kid": self._key.kid}, said, self._key.key),
            "scope": self._scope,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        try:
            reply = outside.post(
                self._at.token_url,
                body=urlencode(form).encode(),
                headers=headers,
                limit=_TOKEN_LIMIT,
                timeout=self._left(),
            )
        except OutsideError as error:
            raise PlatformError(error.args[0]) from None
        given = _json(reply, self._at.name) if reply.status == 200 else None
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise PlatformError(
                english(
                    "%(platform)s does not let this tool do that (%(status)s). See the tool's services there.",
                    platform=self._at.name,
                    status=str(reply.status),
                )
            )
        lasts = given.get("expires_in") if isinstance(given, dict) else None
        fits = isinstance(lasts, int | float) and not isinstance(lasts, bool)
        return token, float(max(0, min(lasts, _LONGEST_TOKEN_S)) if fits and lasts is not None else 0)


def this_tools_key(db: Session) -> SigningKey:
    """The key with which this tool signs now, in a transaction of its own.

    Raises:
        SealError: the web secret is another than when it was made.
    """
    return transact(db, lambda db: signing_key(db, str(current_app.secret_key), now=utc_now()))


def below(url: str, name: str) -> str:
    """An address one step below another, before its query: Moodle's have one."""
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{query}"


def _json(reply: Reply, platform: str) -> Any:
    try:
        return reply.json()
    except ValueError:
        raise PlatformError(english("%(platform)s does not answer as LTI says.", platform=platform)) from None


def _next(link: str) -> str | None:
    """The address of the next page in a header `Link` (RFC 8288); None for the last."""
    for part in link.split(","):
        address, *attributes = part.split(";")
        address = address.strip()
        named = {attribute.strip().replace('"', "").lower() for attribute in attributes}
        if "rel=next" in named and address.startswith("<") and address.endswith(">"):
            return address[1:-1]
    return None


def _origin(url: str) -> tuple[str, str] | None:
    """Of what is no address None."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.scheme, parts.netloc
