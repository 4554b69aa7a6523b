"""Addresses to listen on, how many connections may be open, and how a server begins and ends that is none of gRPC's."""

import ipaddress
import resource
import socket
import threading
from contextlib import suppress
from socketserver import TCPServer

import structlog

from attendance.errors import AttendanceError

_LARGEST_PORT = 65_535
_OTHER_FILES = 256
"""Files that the service opens beside its connections: databases, models, the index; with a good deal to spare."""

log = structlog.get_logger()


class ServerSetupError(AttendanceError):
    """A server cannot be set up; the message names the setting, for people."""


def checked_address(listen: str, setting: str) -> tuple[str, int]:
    """The host and port of an address such as 127.0.0.1:50051.

    Args:
        listen: the address.
        setting: the name of the setting that it comes from.

    Raises:
        ServerSetupError: it is none.
    """
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > _LARGEST_PORT:
        raise ServerSetupError(f"{setting}: {listen!r} is no address and port, e.g. 127.0.0.1:50051")
    return host, int(port)


def address_for_others(address: str) -> str:
    """At which others reach a server that listens on an address: on every address of the machine, by its name."""
    host, _, port = address.rpartition(":")
    try:
        everywhere = ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        everywhere = False
    return f"{socket.gethostname()}:{port}" if everywhere else address


def allowed_connections(wanted: int) -> int:
    """How many connections may be open so that files can still be opened; the limit on open files is raised if need be.

    Strangers who connect would else take the last file, and the service could read no index and reach no database.

    Args:
        wanted: connections that the settings allow.

    Returns:
        As many, or fewer where the hard limit on open files is low.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    allowed = max(1, soft - _OTHER_FILES)
    log.warning("fewer_connections", allowed=allowed, wanted=wanted, advice=f"allow {needed} open files (ulimit -n)")
    return allowed


def end_server(server: TCPServer, thread: threading.Thread) -> None:
    """End a server that serves in a thread, at once.

    By itself it looks twice a second whether it is to end. On Linux a listening socket that is shut down wakes whoever
    waits for calls at it.
    """
    ending = threading.Thread(target=server.shutdown, name="server-ends")
    ending.start()
    with suppress(OSError):
        server.socket.shutdown(socket.SHUT_RDWR)
    ending.join()
    server.server_close()
    thread.join()
