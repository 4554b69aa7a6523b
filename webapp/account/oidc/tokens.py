"""Whether a token of the provider is to be believed: OpenID Connect Core 1.0, section 3.1.3.7; Back-Channel Logout 1.0.

Authlib and joserfc do the work. What they let pass is refused here: a token that does not say with which key it is
signed, more audiences than this dashboard, and algorithms with which a shared secret could pass for the provider.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import JWKRegistry, Key

from webapp.account.oidc.trouble import ProviderError, Reason, quoted

ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
"""With a private key of the provider's own. Not `none`, and not HS256: its key would be the client's secret."""
_NO_TIME = 1e11
"""Unix time in the year 5138: later ones are no moments that a date can say."""
LEEWAY_S = 60
"""By how much the clocks of the two machines may differ."""
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

Claims = dict[str, Any]
_KEY_TYPES = frozenset({"RSA", "EC", "OKP"})


def read_id_token(
    token: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    algorithms: frozenset[str],
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str | None = None,
) -> Claims:
    """The claims of an ID token that is to be believed.

    Args:
        token: as the provider gave it.
        keys: its JSON web keys, as it offers them now.
        algorithms: with which it says that it signs.
        issuer: who must have made the token.
        client_id: for whom.
        nonce: of the sign-in that it ends.
        access_token: that came with it; the token may hold its hash.

    Raises:
        ProviderError: UNTRUE or CLOCK.
    """
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    params = {"nonce": nonce, "client_id": client_id, "access_token": access_token}
    signed = _signed(token, keys, algorithms)
    claims = CodeIDToken(signed.claims, signed.header, options, params)
    _validate(claims)
    return _checked_by_hand(dict(claims), client_id)


def read_logout_token(
    token: str, keys: Sequence[Mapping[str, Any]], *, algorithms: frozenset[str], issuer: str, client_id: str
) -> Claims:
    """The claims of a logout token that is to be believed: whose sign-ins end, by `sub`, `sid` or both.

    Args:
        token: as it came.
        keys: as for `read_id_token`.
        algorithms: the same.
        issuer: the same.
        client_id: the same.

    Raises:
        ProviderError: UNTRUE or CLOCK.
    """
    signed = _signed(token, keys, algorithms)
    needed: dict[str, dict[str, Any]] = {name: {"essential": True} for name in ("iat", "exp", "jti", "events")}
    needed |= {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    _validate(_LogoutToken(signed.claims, signed.header, needed, {}))
    claims = _checked_by_hand(dict(signed.claims), client_id, subject=False)
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise ProviderError(Reason.UNTRUE, "the token tells of no logout")
    if "nonce" in claims:  # so that no ID token passes for one
        raise ProviderError(Reason.UNTRUE, "a logout token holds no nonce")
    if not _text(claims.get("sub")) and not _text(claims.get("sid")):
        raise ProviderError(Reason.UNTRUE, "the logout token does not say whose sign-in ends")
    return claims


class _LogoutToken(CodeIDToken):  # type: ignore[misc] # Authlib has no types
    """What a logout token has in common with an ID token: who made it for whom, and when."""

    ESSENTIAL_CLAIMS = ("iss", "aud", "iat", "exp", "jti")


def _signed(token: str, keys: Sequence[Mapping[str, Any]], algorithms: frozenset[str]) -> jwt.Token:
    try:
        header = jws.extract_compact(token.encode()).headers()
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in algorithms & ALGORITHMS:
            raise ProviderError(Reason.UNTRUE, f"signed with {quoted(algorithm)}")
        if not isinstance(key_id, str) or not key_id:
            raise ProviderError(Reason.UNTRUE, "the token does not say with which key it is signed")
        if "crit" in header:
            raise ProviderError(Reason.UNTRUE, "the token wants extensions to be understood that are not known here")
        key = _key(keys, key_id, algorithm)
        registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        return jwt.decode(token, key, registry=registry)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderError(Reason.UNTRUE, quoted(f"{type(error).__name__} {error}")) from None


def _key(keys: Sequence[Mapping[str, Any]], key_id: str, algorithm: str) -> Key:
    for key in keys:
        fits = key.get("kid") == key_id and key.get("kty") in _KEY_TYPES
        if fits and key.get("use") in (None, "sig") and key.get("alg") in (None, algorithm):
            return JWKRegistry.import_key(dict(key))
    raise ProviderError(Reason.UNTRUE, f"the provider has no key {quoted(key_id)} for {algorithm} now")


def _validate(claims: CodeIDToken) -> None:
    try:
        claims.validate(now=int(time.time()), leeway=LEEWAY_S)
    except (ExpiredTokenError, InvalidClaimError) as error:
        name = error.claim
        if name in ("exp", "nbf", "iat"):
            raise ProviderError(Reason.CLOCK, _off(claims)) from None
        raise ProviderError(Reason.UNTRUE, f"the claim {quoted(name)}") from None
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ProviderError(Reason.UNTRUE, quoted(f"{type(error).__name__} {error}")) from None


def _off(claims: Mapping[str, Any]) -> str:
    """How far the token's time is from the time here, for whoever sets the clocks right."""
    issued = claims.get("iat")
    if not isinstance(issued, int | float):
        return "the token says no time"
    return f"the token was made {time.time() - issued:+.0f} seconds ago by the clock here"


def _checked_by_hand(claims: Claims, client_id: str, *, subject: bool = True) -> Claims:
    for name in ("exp", "iat", "nbf"):  # JSON in Python knows NaN, which is never past
        if isinstance(claims.get(name), int | float) and not abs(claims[name]) < _NO_TIME:
            raise ProviderError(Reason.UNTRUE, f"the claim {name}")
    audience = claims["aud"]
    if audience not in (client_id, [client_id]):
        raise ProviderError(Reason.UNTRUE, "the token is for others, too")
    if subject and not _text(claims.get("sub")):
        raise ProviderError(Reason.UNTRUE, "the claim sub is empty, or longer than 255 characters")
    return claims


def _text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255
