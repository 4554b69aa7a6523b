"""One request, one reply: bounded in time and bytes, over a connection to an address that was judged."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urljoin

from flask import current_app

from attendance.settings import Settings
from attendance.texts import english
from webapp.outside.addresses import Address, Networks, OutsideError, check_address, look_up

Socket = TypeVar("Socket", bound=socket.socket)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 3
_OURS = {"Accept-Encoding": "identity", "Connection": "close", "User-Agent": "class-attendance"}
"""Packed replies are not asked for: a small one could be of any size when it is unpacked."""


@dataclass(frozen=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP, also one that tells of a failure.
        headers: their names in small letters.
        body: as it came, at most as long as the limit.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON.

        Raises:
            ValueError: it is none, or nested deeper than can be read.
        """
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deep") from None


def get(url: str, *, limit: int, timeout: float, headers: Mapping[str, str] | None = None) -> Reply:
    """Fetch an address, as the settings of this application allow; see `OutsideCaller.get`."""
    return _caller().get(url, limit=limit, timeout=timeout, headers=headers)


def post(url: str, *, body: bytes, headers: Mapping[str, str], limit: int, timeout: float) -> Reply:
    """Send something to an address, as the settings of this application allow; see `OutsideCaller.post`."""
    return _caller().post(url, body=body, headers=headers, limit=limit, timeout=timeout)


def _caller() -> "OutsideCaller":
    settings: Settings = current_app.config["ATTENDANCE"]
    return OutsideCaller(settings.web.private_networks)


@lru_cache(maxsize=1)
def _believed() -> ssl.SSLContext:
    """What the system believes, read once: reading it takes longer than many a request."""
    return ssl.create_default_context()


class OutsideCaller:
    """Calls addresses outside. Safe to use from any thread; keeps no connection and no cookie."""

    def __init__(self, networks: Networks, *, tls: ssl.SSLContext | None = None) -> None:
        """Get ready.

        Args:
            networks: those that may be called beside the public ones.
            tls: what certificates are believed; the system's unless given.
        """
        self._networks = networks
        self._tls = tls

    def get(self, url: str, *, limit: int, timeout: float, headers: Mapping[str, str] | None = None) -> Reply:
        """Fetch an address; redirects within its own host are followed, and judged like the address itself.

        Args:
            url: an address of http or https.
            limit: bytes of the longest reply that is taken.
            timeout: seconds for all of it, however lively the other side seems.
            headers: of the request, beside our own.

        Raises:
            OutsideAddressError: the address, or one it leads to, may not be called.
            OutsideError: there is no reply, or one that is too long or too late; the message says why.
        """
        ends = time.monotonic() + timeout
        address = check_address(url, self._networks)
        for _ in range(_MOST_REDIRECTS + 1):
            left = max(0.001, ends - time.monotonic())
            reply = self._call(_Request("GET", address, b"", headers or {}, limit), left, whole=timeout)
            if reply.status not in _REDIRECTS or "location" not in reply.headers:
                return reply
            address = self._next(address, reply.headers["location"])
        raise OutsideError(english("%(host)s leads from one address to the next for ever.", host=address.host))

    def post(self, url: str, *, body: bytes, headers: Mapping[str, str], limit: int, timeout: float) -> Reply:
        """Send something to an address. A redirect is a reply like any other: what was sent goes nowhere else.

        Args:
            url: an address of http or https.
            body: what is sent.
            headers: of the request, beside our own.
            limit: bytes of the longest reply that is taken.
            timeout: seconds for all of it, however lively the other side seems.

        Raises:
            OutsideAddressError: the address may not be called.
            OutsideError: there is no reply, or one that is too long or too late; the message says why.
        """
        address = check_address(url, self._networks)
        return self._call(_Request("POST", address, body, headers, limit), timeout, whole=timeout)

    def _next(self, address: Address, location: str) -> Address:
        following = check_address(urljoin(address.origin + address.target, location), self._networks)
        if following.host != address.host or (address.scheme, following.scheme) == ("https", "http"):
            raise OutsideError(
                english(
                    "%(host)s leads elsewhere, to %(there)s. Type the address that it leads to, if you trust it.",
                    host=address.host,
                    there=following.origin,
                )
            )
        return following

    def _call(self, request: "_Request", timeout: float, *, whole: float) -> Reply:
        """Args: timeout: seconds that are left; whole: those that there were, for the message."""
        ends = time.monotonic() + timeout
        places = look_up(request.address, self._networks)
        call = _Call(ends)
        timer = threading.Timer(max(0.0, ends - time.monotonic()), call.break_off)
        timer.daemon = True
        timer.start()
        try:
            reply = self._exchange(request, call, places)
        except (OSError, http.client.HTTPException) as error:
            if call.broken_off or isinstance(error, TimeoutError):
                raise OutsideError(_too_late(request.address, whole)) from None
            raise OutsideError(_why(request.address, error)) from None
        finally:
            timer.cancel()
            call.close()
        if call.broken_off:  # a reply whose end cannot be told from one that was cut off
            raise OutsideError(_too_late(request.address, whole))
        return reply

    def _exchange(self, request: "_Request", call: "_Call", places: list[tuple[Any, ...]]) -> Reply:
        address = request.address
        connection = http.client.HTTPConnection(address.host, address.port)
        connection.sock = call.connect(places)
        if address.scheme == "https":
            connection.sock = call.secure(self._tls or _believed(), address.host)
        connection.request(
            request.method,
            address.target,
            request.body or None,
            {**request.headers, **_OURS, "Host": address.authority},
        )
        response = connection.getresponse()
        try:
            return _read(response, request)
        finally:
            response.close()


@dataclass(frozen=True)
class _Request:
    method: str
    address: Address
    body: bytes
    headers: Mapping[str, str]
    limit: int


@dataclass
class _Call:
    """A connection that another thread can break off at any moment, also in a greeting that never ends."""

    ends: float
    broken_off: bool = False
    _socket: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self, places: list[tuple[Any, ...]]) -> socket.socket:
        """The first of these places that answers."""
        failed: OSError | None = None
        for tried, (family, kind, protocol, _, where) in enumerate(places):
            made = self._take(socket.socket(family, kind, protocol))
            left = max(0.001, self.ends - time.monotonic())
            made.settimeout(left / (len(places) - tried))  # one that is silent leaves time for the others
            try:
                made.connect(where)
            except OSError as error:
                failed = error
                made.close()
                continue
            made.settimeout(max(0.001, self.ends - time.monotonic()))
            return made
        raise failed or OSError("it has no address")

    def secure(self, tls: ssl.SSLContext, host: str) -> ssl.SSLSocket:
        """TLS over it, for this name."""
        plain = self._socket
        if plain is None:
            raise OSError("it is not connected")
        made = tls.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        self._take(made)
        made.do_handshake()
        return made

    def break_off(self) -> None:
        """End it, whatever it waits for."""
        with self._lock:
            self.broken_off = True
            if self._socket is not None:
                _shut(self._socket)

    def close(self) -> None:
        """Give the connection back."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()

    def _take(self, made: Socket) -> Socket:
        with self._lock:
            self._socket = made
            if self.broken_off:
                raise TimeoutError
        return made


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it is not connected yet; connecting has a limit of its own
        socket.socket.shutdown(one, socket.SHUT_RDWR)  # not SSLSocket's own, which takes its state from under a reader


def _read(response: http.client.HTTPResponse, request: _Request) -> Reply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    host = request.address.host
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise OutsideError(english("%(host)s sent a packed reply, which was not asked for.", host=host))
    if (response.length or 0) > request.limit:
        raise OutsideError(_too_long(host, request.limit))
    body = response.read(request.limit + 1)
    if len(body) > request.limit:
        raise OutsideError(_too_long(host, request.limit))
    if response.length:  # bytes that were announced; asked for a number of them, http.client says nothing
        raise http.client.IncompleteRead(body, response.length)
    return Reply(response.status, headers, body)


def _too_long(host: str, limit: int) -> str:
    return english("The reply of %(host)s is too long: over %(limit)s bytes.", host=host, limit=limit)


def _too_late(address: Address, timeout: float) -> str:
    return english("%(host)s did not answer within %(seconds)s seconds.", host=address.host, seconds=f"{timeout:g}")


def _why(address: Address, error: Exception) -> str:
    host = address.host
    if isinstance(error, ssl.SSLCertVerificationError):
        return english("The certificate of %(host)s is not good: %(why)s", host=host, why=error.verify_message)
    if isinstance(error, http.client.IncompleteRead):
        return english("The reply of %(host)s ended before its end.", host=host)
    if isinstance(error, http.client.HTTPException):
        return english("%(host)s did not answer as HTTP does.", host=host)
    return english("%(host)s cannot be reached: %(why)s", host=host, why=(getattr(error, "strerror", "") or "?")[:200])
