"""Addresses to listen on, and the error of a server that cannot be set up."""

_LARGEST_PORT = 65_535


class ServerSetupError(Exception):
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
