"""What a platform says of itself: its OpenID configuration, fetched and checked before anything is told to it.

Names are from LTI Dynamic Registration 1.0, section 3.5, and OpenID Connect Discovery 1.0. The issuer must be of the
host that the configuration comes from; else whoever makes somebody open an address could register as another platform.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import current_app

from attendance.texts import english
from webapp import outside
from webapp.lti.errors import RegistrationError
from webapp.lti.frames import origin_of
from webapp.outside import OutsideError, check_address

PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
_LIMIT, _TIMEOUT_S = 100_000, 10.0
_LONGEST_ISSUER, _LONGEST_URL = 255, 500
_LONGEST_TOKEN = 8_000
_MOST_LISTED = 200
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint")


@dataclass(frozen=True)
class PlatformConfiguration:
    """A platform as it describes itself.

    Attributes:
        issuer: which its launches name.
        authorisation_url, token_url, keys_url, registration_url: addresses that the dashboard may call.
        scopes: that it offers; None: it does not say.
        placements: for each kind of message, where it can stand there.
        product: e.g. "moodle"; "" where it does not say.
    """

    issuer: str
    authorisation_url: str
    token_url: str
    keys_url: str
    registration_url: str
    scopes: frozenset[str] | None
    placements: Mapping[str, tuple[str, ...]]
    product: str


def host_of(url: str) -> str:
    """The host of an address, in small letters; "" of what is none."""
    try:
        return (urlsplit(url).hostname or "") if origin_of(url) else ""
    except ValueError:
        return ""


def bearer(token: str) -> dict[str, str]:
    """The header that shows the platform's own token; none where it gave none.

    Raises:
        RegistrationError: it is no token.
    """
    if not token:
        return {}
    if len(token) > _LONGEST_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise RegistrationError(english("The registration token that the platform gave cannot be used."))
    return {"Authorization": f"Bearer {token}"}


def fetch_configuration(url: str, token: str) -> PlatformConfiguration:
    """Ask a platform what it is.

    Args:
        url: its configuration, as it named it (`openid_configuration`).
        token: its `registration_token`, "" for none; Canvas wants to see it here already.

    Raises:
        RegistrationError: it does not say, or not as it must.
    """
    headers = {"Accept": "application/json", **bearer(token)}
    try:
        reply = outside.get(url, limit=_LIMIT, timeout=_TIMEOUT_S, headers=headers)
    except OutsideError as error:
        raise RegistrationError(error.args[0]) from None
    try:
        given = reply.json() if reply.status == 200 else None
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise RegistrationError(english("%(host)s does not say what it is (OpenID configuration).", host=host_of(url)))
    return _read(given, url)


def _read(given: Mapping[str, Any], url: str) -> PlatformConfiguration:
    issuer = given.get("issuer")
    if not isinstance(issuer, str) or not host_of(issuer) or len(issuer) > _LONGEST_ISSUER or not issuer.isprintable():
        raise RegistrationError(english("%(host)s does not name itself (issuer).", host=host_of(url)))
    if host_of(issuer) != host_of(url):
        raise RegistrationError(
            english("%(host)s calls itself %(issuer)s, which is another host.", host=host_of(url), issuer=issuer)
        )
    authorisation, token, keys, registration = (_endpoint(given, name) for name in _ENDPOINTS)
    for name, wanted in (
        ("id_token_signing_alg_values_supported", "RS256"),
        ("token_endpoint_auth_methods_supported", "private_key_jwt"),
    ):
        if isinstance(given.get(name), list) and wanted not in given[name]:
            raise RegistrationError(
                english("The platform does not offer %(wanted)s, which LTI 1.3 wants.", wanted=wanted)
            )
    scopes = given.get("scopes_supported")
    said = given.get(PLATFORM)
    platform: Mapping[str, Any] = said if isinstance(said, dict) else {}
    product = platform.get("product_family_code")
    return PlatformConfiguration(
        issuer, authorisation, token, keys, registration,
        scopes=frozenset(_texts(scopes)) if isinstance(scopes, list) else None,
        placements=_placements(platform.get("messages_supported")),
        product=product[:40] if isinstance(product, str) and product.isprintable() else "",
    )  # fmt: skip


def _endpoint(given: Mapping[str, Any], name: str) -> str:
    """An address of the platform that the dashboard may call."""
    url = given.get(name)
    if not isinstance(url, str) or not url or len(url) > _LONGEST_URL:
        raise RegistrationError(english("The platform does not name its %(name)s.", name=name))
    try:
        check_address(url, current_app.config["ATTENDANCE"].web.private_networks)
    except OutsideError as error:
        raise RegistrationError(error.args[0]) from None
    return url


def _placements(messages: object) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for message in messages[:_MOST_LISTED] if isinstance(messages, list) else ():
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            there = message.get("placements")
            found[message["type"]] = tuple(_texts(there)) if isinstance(there, list) else ()
    return found


def _texts(given: list[object]) -> list[str]:
    return [one for one in given[:_MOST_LISTED] if isinstance(one, str)]
