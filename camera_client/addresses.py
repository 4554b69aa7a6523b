"""Addresses of cameras as people, logs and messages may see them: without what lets somebody in."""

import re

# What ends the user name and password of an address, and begins something else in it: RFC 3986, section 3.2.
_ENDS_AUTHORITY = re.compile(r"[/?#\\]")
_HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.%]*\]|[^\[\]:@]*)(:[0-9]{0,5})?")
_ACCOUNT = re.compile(r"([\w.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*(:([\w.~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*)?")
_SECRET = re.compile(r"(?i)(pass|pwd|pw|key|token|auth|secret)\w*=")
_HIDDEN = "***"
# Keys in paths, such as /5fKkqVsNtUo5BTVz, have letters and digits, and are no shorter.
_KEY_LENGTH = 16

ENCODING_ADVICE = (
    "a user name or password with other signs than letters, digits and -._~ must be percent-encoded: / as %2F, "
    "? as %3F, # as %23, @ as %40, : as %3A, [ as %5B, ] as %5D, % as %25"
)


def show_address(text: str) -> str:
    """A source or an address as it may be shown: without password, key, query and fragment.

    What may be a part of a password is hidden, also where the rules of addresses say otherwise: people write passwords
    with signs that mean something in addresses. Cameras and recorders also put passwords and keys into paths.

    Args:
        text: what a person wrote; a path of this machine comes back as it is, unless it may be half an address.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        if "@" not in text:
            return _HIDDEN if _SECRET.search(text) else text
        scheme, rest = "", text
    account, at, place = rest.rpartition("@")
    return f"{scheme}{separator}{_shown_account(account)}{at}{_shown_place(place)}"


def _shown_account(account: str) -> str:
    user, colon, _ = account.partition(":")
    if _ENDS_AUTHORITY.search(user):
        return _HIDDEN
    return f"{user}:{_HIDDEN}" if colon else user


def _shown_place(place: str) -> str:
    path, *hidden = re.split(r"[?#]", place, maxsplit=1)
    host, *parts = path.split("/")
    if _HOST_AND_PORT.fullmatch(host) is None:  # what looks like a port may be a password whose host was forgotten
        return _HIDDEN
    shown = "/".join([host, *(_HIDDEN if _may_be_key(part) else part for part in parts)])
    return f"{shown}{place[len(path)]}{_HIDDEN}" if hidden and hidden[0] else shown


def _may_be_key(part: str) -> bool:
    mixed = any(sign.isdigit() for sign in part) and any(sign.isalpha() for sign in part)
    return "=" in part or (len(part) >= _KEY_LENGTH and mixed)


def cannot_be_meant(address: str) -> bool:
    """Whether an address ends in the middle of a user name or password, so that no program reads it as it is meant."""
    rest = address.partition("://")[2]
    authority = _ENDS_AUTHORITY.split(rest, maxsplit=1)[0]
    return "@" in rest and "@" not in authority and _HOST_AND_PORT.fullmatch(authority) is None


def may_need_encoding(address: str) -> bool:
    """Whether the user name or password in an address holds signs that should have been percent-encoded."""
    account, at, _ = address.partition("://")[2].rpartition("@")
    return bool(at) and _ACCOUNT.fullmatch(account) is None
