"""Requests to real servers on loopback, some of which mean no good."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import ip_network
from typing import Any

import pytest
import trustme

from tests.webapp.outside.receiving import Answer, Asked, Receiver, receiving
from tests.webapp.visiting import Site
from webapp import outside
from webapp.outside import Caller, OutsideAddressError, OutsideError

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


_ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/long": (200, {}, b"x" * 5000),
    "/boasting": (200, {"Content-Length": "99999999999"}, b"x"),
    "/short": (200, {"Content-Length": "50"}, b"x"),
    "/packed": (200, {"Content-Encoding": "gzip"}, b"x"),
    "/gone": (410, {}, b"gone"),
    "/moved": (302, {"Location": "/there?a=b"}, b""),
    "/round": (301, {"Location": "/round"}, b""),
    "/elsewhere": (302, {"Location": "http://127.0.0.2:PORT/secret"}, b""),
    "/metadata": (307, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
    "/file": (307, {"Location": "file:///etc/passwd"}, b""),
}


def _answer(asked: Asked) -> Answer:
    status, headers, body = _ANSWERS.get(asked.path, (200, {}, b"well"))
    port = asked.headers["host"].rpartition(":")[2]
    return Answer(status, {name: value.replace("PORT", port) for name, value in headers.items()}, body)


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as made:
        made.answering = _answer
        yield made


@pytest.fixture
def caller() -> Caller:
    return Caller(_LOOPBACK)


def _get(caller: Caller, port: int, path: str, timeout: float = 5) -> outside.Reply:
    return caller.get(f"http://127.0.0.1:{port}{path}", limit=1000, timeout=timeout)


def test_a_reply_comes_back_whole(server: Receiver, caller: Caller) -> None:
    reply = _get(caller, server.port, "/there?a=b")

    assert (reply.status, reply.body) == (200, b"well")
    assert reply.headers["content-length"] == "4"
    _, path, headers, _ = server.seen[0]
    assert path == "/there?a=b"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["accept-encoding"] == "identity"
    assert _get(caller, server.port, "/gone").status == 410  # a failure that was told is a reply


def test_what_is_sent_arrives(server: Receiver, caller: Caller) -> None:
    url = f"http://127.0.0.1:{server.port}/hook"
    reply = caller.post(url, body=b'{"a":1}', headers={"Content-Type": "application/json"}, limit=1000, timeout=5)

    assert reply.status == 200
    assert [(method, body) for method, _, _, body in server.seen] == [("POST", b'{"a":1}')]
    assert server.seen[0][2]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "says"),
    [("/long", "too long"), ("/boasting", "too long"), ("/short", "ended before its end"), ("/packed", "packed")],
)
def test_a_reply_that_cannot_be_used_is_none(server: Receiver, caller: Caller, path: str, says: str) -> None:
    with pytest.raises(OutsideError, match=says):
        _get(caller, server.port, path)


def test_a_redirect_within_the_host_is_followed(server: Receiver, caller: Caller) -> None:
    assert _get(caller, server.port, "/moved").body == b"well"
    assert [path for _, path, _, _ in server.seen] == ["/moved", "/there?a=b"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/round", "for ever"),
        ("/elsewhere", "elsewhere, to http://127.0.0.2"),
        ("/metadata", "may not"),
        ("/file", "no"),
    ],
)
def test_no_redirect_leads_elsewhere(server: Receiver, caller: Caller, path: str, says: str) -> None:
    with pytest.raises(OutsideError, match=says):
        _get(caller, server.port, path)
    assert {asked for _, asked, _, _ in server.seen} == {path}


def test_what_is_sent_is_not_sent_on(server: Receiver, caller: Caller) -> None:
    url = f"http://127.0.0.1:{server.port}/metadata"
    assert caller.post(url, body=b"x", headers={}, limit=1000, timeout=5).status == 307
    assert len(server.seen) == 1


def test_a_name_is_looked_up_once_and_the_judged_address_is_called(
    server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        number = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    caller = Caller((ip_network("127.0.0.1/32"),))

    reply = caller.get(f"http://receiver.example.edu:{server.port}/", limit=1000, timeout=5)

    assert reply.status == 200
    assert asked == ["receiver.example.edu"]
    assert server.seen[0][2]["host"] == f"receiver.example.edu:{server.port}"
    with pytest.raises(OutsideAddressError, match=r"127\.0\.0\.2"):  # the next call looks anew, and judges anew
        caller.get(f"http://receiver.example.edu:{server.port}/", limit=1000, timeout=5)


def test_without_the_setting_loopback_is_not_called(server: Receiver) -> None:
    with pytest.raises(OutsideAddressError):
        _get(Caller(()), server.port, "/")
    assert server.seen == []


def test_nobody_there_is_said_so(caller: Caller) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OutsideError, match="cannot be reached: Connection refused"):
            _get(caller, unused.getsockname()[1], "/")


# Servers that never come to an end.


def _drip(connection: socket.socket, first: bytes, then: bytes) -> None:
    with suppress(OSError):
        connection.sendall(first)
        while True:
            connection.sendall(then)
            time.sleep(0.05)


@pytest.fixture
def serving_each() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """`serving_each(what)`: a port, at which every connection is handed to `what`."""
    open_: list[socket.socket] = []

    def serve(what: Callable[[socket.socket], None]) -> int:
        listening = socket.create_server(("127.0.0.1", 0))
        open_.append(listening)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    open_.append(connection)
                    threading.Thread(target=what, args=[connection], daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return int(listening.getsockname()[1])

    yield serve
    for one in open_:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"HTTP/1.1 200 OK\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
    ],
    ids=["silent", "headers", "body", "chunks", "no-length"],
)
def test_a_server_that_never_ends_is_left(
    serving_each: Callable[..., int], caller: Caller, first: bytes, then: bytes
) -> None:
    port = serving_each(lambda connection: _drip(connection, first, then))
    begun = time.monotonic()

    with pytest.raises(OutsideError, match=r"did not answer within 0\.4 seconds"):
        _get(caller, port, "/", timeout=0.4)

    assert time.monotonic() - begun < 3


def test_a_greeting_that_never_ends_is_left(serving_each: Callable[..., int], caller: Caller) -> None:
    port = serving_each(lambda connection: _drip(connection, b"\x16\x03\x03\x40\x00\x02", b"\x00"))
    with pytest.raises(OutsideError, match=r"did not answer within 0\.4 seconds"):
        caller.get(f"https://127.0.0.1:{port}/", limit=1000, timeout=0.4)


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 2x OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA" * 70_000])
def test_what_is_not_http_is_said_so(serving_each: Callable[..., int], caller: Caller, said: bytes) -> None:
    def speak(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.recv(4096)
            connection.sendall(said)
            connection.shutdown(socket.SHUT_WR)

    with pytest.raises(OutsideError, match=r"as HTTP does|cannot be reached"):
        _get(caller, serving_each(speak), "/")


# TLS.


@pytest.fixture
def secure() -> Iterator[tuple[Receiver, ssl.SSLContext]]:
    """A server with a certificate for receiver.example.edu, and a client that believes its authority."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("receiver.example.edu").configure_cert(theirs)
    authority.configure_trust(ours)
    with receiving(theirs) as made:
        yield made, ours


def test_the_certificate_must_be_of_the_name_that_was_typed(
    secure: tuple[Receiver, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, tls = secure
    place = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: place)
    caller = Caller(_LOOPBACK, tls=tls)

    assert caller.get(f"https://receiver.example.edu:{server.port}/", limit=1000, timeout=5).body == b"well"
    with pytest.raises(OutsideError, match=r"certificate of other\.example\.edu is not good"):
        caller.get(f"https://other.example.edu:{server.port}/", limit=1000, timeout=5)
    with pytest.raises(OutsideError, match="is not good"):  # of an authority that nobody knows here
        Caller(_LOOPBACK).get(f"https://receiver.example.edu:{server.port}/", limit=1000, timeout=5)
    assert len(server.seen) == 1


def test_the_settings_of_the_application_decide(site: Site, server: Receiver) -> None:
    url = f"http://127.0.0.1:{server.port}/"
    with site.app.app_context():
        with pytest.raises(OutsideAddressError, match="ATTENDANCE_WEB_PRIVATE_ADDRESSES"):
            outside.get(url, limit=1000, timeout=5)
        web = site.settings.web.model_copy(update={"private_addresses": "127.0.0.0/8"})
        site.app.config["ATTENDANCE"] = site.settings.model_copy(update={"web": web})
        assert outside.get(url, limit=1000, timeout=5).status == 200
        assert outside.post(url, body=b"x", headers={}, limit=1000, timeout=5).status == 200
