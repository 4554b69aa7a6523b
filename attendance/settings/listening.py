"""Addresses of services: what is one, who can reach it, and a word in the log where everybody in the network can."""

import ipaddress
import re

import structlog

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_HIGHEST_PORT = 65_535

log: structlog.stdlib.BoundLogger = structlog.get_logger()


def host_of(address: str) -> str | None:
    """The host of a service's address, host:port with an IPv6 address in brackets; None where it is no address."""
    match = _ADDRESS.fullmatch(address)
    return match[1] if match is not None and 0 < int(match[2]) <= _HIGHEST_PORT else None


def is_loopback(host: str) -> bool:
    """Whether a host, by its name or number, is this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listens_on_this_machine_only(listen: str) -> bool:
    """Whether an address such as 127.0.0.1:50051 can be reached from this machine only."""
    return is_loopback(listen.rpartition(":")[0])


def warn_of_plain_text(listen: str, *, setting: str, shows: str, advice: str) -> None:
    """Log that what goes over an address can be read on its way, where other machines can reach it.

    Args:
        listen: the address, on which nothing is encrypted.
        setting: the name of the setting that it comes from.
        shows: what can be read.
        advice: what to do.
    """
    if not listens_on_this_machine_only(listen):
        log.warning("listening_without_tls", address=listen, setting=setting, shows=shows, advice=advice)
