"""Which addresses may be called: public ones by https, and those of the networks that a setting names."""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from attendance.errors import AttendanceError
from attendance.texts import english

Networks = Sequence[IPv4Network | IPv6Network]

LONGEST = 2000
"""Characters of an address. Secret ones of calendars have about 200."""
_SETTING = "ATTENDANCE_WEB_PRIVATE_ADDRESSES"
_PORTS = {"https": 443, "http": 80}
_PRINTABLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9.])?|[0-9a-f:.]+", re.IGNORECASE)

_NEVER = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",  # link-local: most clouds give a machine its keys at 169.254.169.254
        "fe80::/10",
        "fd00:ec2::254/128",  # the same, of Amazon
        "168.63.129.16/32",  # of Microsoft Azure; a public address by its number
        "100.100.100.200/32",  # of Alibaba Cloud
        "192.0.0.192/32",  # of Oracle Cloud
        "0.0.0.0/8",
        "::/128",
    )
)
"""Addresses that are not called whatever the setting allows: no receiver lives there, and secrets of machines do."""
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All of IPv6 that is routed in public (RFC 4291, section 2.4, and IANA's register)."""
_NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses behind a translator (RFC 6052): the last 32 bits are the address."""


class OutsideError(AttendanceError):
    """A request to an address outside brings no reply that can be used; the message says why."""


class OutsideAddressError(OutsideError):
    """An address that may not be called; the message says why, and where that can be changed."""


@dataclass(frozen=True)
class Address:
    """An address in its parts.

    Attributes:
        scheme: "https" or "http".
        host: the name or the number, in small letters; a number of IPv6 without brackets.
        port: from 1 to 65535.
        target: path and query, as they stand in the request.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port, as the header `Host` has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port: without what may be secret in the path."""
        return f"{self.scheme}://{self.authority}"


def check_address(url: str, networks: Networks) -> Address:
    """Take an address apart that somebody typed; nothing is asked for it, so a name is not looked up.

    Args:
        url: what was typed.
        networks: those allowed beside the public ones (`web.private_networks`).

    Raises:
        OutsideAddressError: it is no address, or one that may never be called.
    """
    if len(url) > LONGEST:
        raise OutsideAddressError(english("The address is too long: at most %(most)s characters.", most=LONGEST))
    if not _PRINTABLE.fullmatch(url) or "\\" in url:
        raise OutsideAddressError(
            english("The address holds a space or a letter beyond ASCII: copy it from a browser's line.")
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutsideAddressError(_no_address(url)) from None
    if parts.scheme not in _PORTS or not parts.hostname or not _HOST.fullmatch(parts.hostname) or port == 0:
        raise OutsideAddressError(_no_address(url))
    if parts.username is not None or parts.password is not None:
        raise OutsideAddressError(english("The address must hold no user and no password before the host."))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    address = Address(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], target)
    if address.scheme == "http" and not networks:
        raise OutsideAddressError(_not_plain(address.host))
    number = _number(address.host)
    if number is not None:
        _judge(number, address, networks)
    return address


def look_up(address: Address, networks: Networks) -> list[tuple[Any, ...]]:
    """Look the host up, once, and judge each address it has.

    Returns:
        What `socket.getaddrinfo` gives, each of which may be connected to.

    Raises:
        OutsideAddressError: one of them may not be called; a name that has such a one is a trap.
        OutsideError: the name is not known.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError):  # UnicodeError: a part of the name is too long, or empty
        raise OutsideError(english("The name %(host)s is not known.", host=address.host)) from None
    for _, _, _, _, where in found:
        number = _number(str(where[0]))
        if number is None:
            raise OutsideAddressError(_not_allowed(address.host, str(where[0])))
        _judge(number, address, networks)
    return list(found)


def is_public(number: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the public internet, however it is written or wrapped."""
    number = _unwrapped(number)
    if isinstance(number, IPv6Address) and number not in _GLOBAL_UNICAST:
        return False
    return number.is_global and not number.is_multicast and not number.is_reserved


def _judge(number: IPv4Address | IPv6Address, address: Address, networks: Networks) -> None:
    number = _unwrapped(number)
    if any(number in network for network in _NEVER):
        raise OutsideAddressError(
            english("%(host)s (%(number)s) may not be called: it is no receiver's address.", **_words(address, number))
        )
    named = any(number in network for network in networks)
    if not named and not is_public(number):
        raise OutsideAddressError(_not_allowed(address.host, str(number)))
    if not named and address.scheme == "http":
        raise OutsideAddressError(_not_plain(address.host))


def _words(address: Address, number: IPv4Address | IPv6Address) -> dict[str, str]:
    return {"host": address.host, "number": str(number)}


def _unwrapped(number: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The address of IPv4 that one of IPv6 stands for: mapped (RFC 4291), 6to4 (RFC 3056) or NAT64; else itself."""
    if isinstance(number, IPv4Address):
        return number
    if number in _NAT64:
        return IPv4Address(int(number) & 0xFFFFFFFF)
    return number.ipv4_mapped or number.sixtofour or number


def _number(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _no_address(url: str) -> str:
    return english("%(url)s is no address like https://receiver.example.edu/path.", url=url[:200])


def _not_allowed(host: str, number: str) -> str:
    return english(
        "%(host)s (%(number)s) is no public address. Whoever runs the server can allow its network with %(setting)s.",
        host=host,
        number=number,
        setting=_SETTING,
    )


def _not_plain(host: str) -> str:
    return english(
        "%(host)s must be called by https. Plain http is only allowed to the networks that %(setting)s names.",
        host=host,
        setting=_SETTING,
    )
