"""Whether the token of a launch is the platform's, for this tool, of now, and of the sign-in that we began.

As the 1EdTech Security Framework 1.0, section 5.1.3, says: the signature by a key that the platform publishes, RS256
and nothing else; `iss`, `aud` and `azp`; `exp` and `iat`; the `nonce`.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from attendance.texts import english
from webapp import outside
from webapp.lti.errors import LaunchError
from webapp.outside import OutsideError

_ALGORITHMS = ("RS256",)
_SKEW_S = 60
_OLDEST_S = 3600
"""Of a token by its `iat`; platforms make one a moment before they send it."""
_LONGEST_TOKEN = 50_000
_KEYS_LIMIT, _KEYS_TIMEOUT_S = 200_000, 10
_PATIENCE_S = 2.0
"""So long a launch waits for one before it that asks the same platform."""
_KEYS_KEPT_S = 300
"""For so long a key that a platform withdrew is still believed."""
_ASK_AGAIN_S = 10
"""A key that is not known makes us ask again, but not more often than this."""
_LEAST_KEY_BITS = 2048


@dataclass(frozen=True)
class Expected:
    """What a token must say.

    Attributes:
        issuer: of the platform.
        client_id: of this tool there.
        nonce: of the sign-in that we began.
    """

    issuer: str
    client_id: str
    nonce: str


class PlatformKeys:
    """The keys that platforms publish, by their address; asked for when they are needed, and kept for minutes.

    Each platform is asked by one launch at a time: one that hangs does not hold every thread, nor the others'.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._asking: dict[str, threading.Lock] = {}
        self._kept: dict[str, tuple[float, dict[str, RSAKey]]] = {}

    def find(self, url: str, kid: str) -> RSAKey:
        """A platform's key.

        Args:
            url: where it publishes its keys.
            kid: the key's name.

        Raises:
            LaunchError: the platform does not answer, or has no such key.
        """
        keys = self._fresh(url, kid)
        if keys is None:
            with self._turn(url):
                keys = self._fresh(url, kid)  # the launch before may have fetched them
                if keys is None:
                    now, keys = self._clock(), _fetch(url)
                    with self._lock:
                        self._kept[url] = (now, keys)
        if kid not in keys:
            raise LaunchError(english("The launch is signed with a key that the platform does not publish."))
        return keys[kid]

    def _fresh(self, url: str, kid: str) -> dict[str, RSAKey] | None:
        """The keys that are kept; None where they are to be fetched."""
        with self._lock:
            asked_at, keys = self._kept.get(url, (-_KEYS_KEPT_S - 1.0, {}))
        age = self._clock() - asked_at
        return None if age > _KEYS_KEPT_S or (kid not in keys and age > _ASK_AGAIN_S) else keys

    @contextmanager
    def _turn(self, url: str) -> Iterator[None]:
        with self._lock:
            asking = self._asking.setdefault(url, threading.Lock())
        if not asking.acquire(timeout=_PATIENCE_S):
            raise LaunchError(_not_now())
        try:
            yield
        finally:
            asking.release()


def verified_claims(token: str, expected: Expected, find_key: Callable[[str], RSAKey]) -> Mapping[str, Any]:
    """The claims of a token that is what it must be.

    Args:
        token: as it came.
        expected: what it must say.
        find_key: the platform's key by its name (`kid`).

    Raises:
        LaunchError: it is not; the message says what is wrong.
    """
    kid = _key_name(token)
    try:
        decoded = jwt.decode(token, find_key(kid), algorithms=list(_ALGORITHMS))
    except (JoseError, ValueError, TypeError):
        raise LaunchError(english("The launch is not signed by the platform.")) from None
    _check(decoded.claims, expected, time.time())
    return decoded.claims


def _key_name(token: str) -> str:
    if len(token) > _LONGEST_TOKEN:
        raise LaunchError(english("The launch is too long."))
    try:
        header = jws.extract_compact(token.encode()).headers()  # nothing of it is believed yet
    except (JoseError, ValueError, TypeError):
        raise LaunchError(english("The launch holds no token that can be read.")) from None
    if header.get("alg") not in _ALGORITHMS:
        raise LaunchError(english("The launch must be signed with RS256, as LTI 1.3 wants."))
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid or "crit" in header:
        raise LaunchError(english("The launch does not name the key with which it is signed."))
    return kid


def _check(claims: Mapping[str, Any], expected: Expected, now: float) -> None:
    if claims.get("iss") != expected.issuer:
        raise LaunchError(english("The launch comes from another platform than it began at."))
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if expected.client_id not in audiences or (party is None and len(audiences) > 1):
        raise LaunchError(english("The launch is meant for another tool."))
    if party is not None and party != expected.client_id:
        raise LaunchError(english("The launch is meant for another tool."))
    if claims.get("nonce") != expected.nonce:
        raise LaunchError(english("The launch does not belong to the sign-in that was begun here."))
    ends, made, begins = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if ends is None or made is None:
        raise LaunchError(english("The launch does not say from when until when it counts."))
    if ends + _SKEW_S < now or made + _OLDEST_S + _SKEW_S < now:
        raise LaunchError(
            english("The launch is too old. Open the link again; if that does not help, a clock is wrong.")
        )
    if max(made, begins or made) - _SKEW_S > now:
        raise LaunchError(english("The launch is from the future: a clock, there or here, is wrong."))


def _not_now() -> str:
    return english("The platform's keys cannot be fetched just now. Try again in a moment.")


def _number(value: object) -> float | None:
    """A time that is a number: JSON in Python knows NaN and infinity too, which no moment is before or after."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _fetch(url: str) -> dict[str, RSAKey]:
    """The platform's keys for signatures, by their names.

    Raises:
        LaunchError: it does not answer with keys.
    """
    try:
        reply = outside.get(url, limit=_KEYS_LIMIT, timeout=_KEYS_TIMEOUT_S)
        given = reply.json()["keys"] if reply.status == 200 else None
    except (OutsideError, ValueError, TypeError, KeyError):
        given = None
    if not isinstance(given, list):
        raise LaunchError(_not_now())
    keys: dict[str, RSAKey] = {}
    for one in given:
        fit = isinstance(one, dict) and one.get("kty") == "RSA" and one.get("use", "sig") == "sig"
        if not fit or one.get("alg", "RS256") not in _ALGORITHMS or not isinstance(one.get("kid"), str):
            continue
        modulus = one.get("n")
        if not isinstance(modulus, str) or len(modulus) * 6 < _LEAST_KEY_BITS:  # base64url: six bits a letter
            continue
        try:
            keys[one["kid"]] = RSAKey.import_key({"kty": "RSA", "n": modulus, "e": one["e"]})
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return keys
