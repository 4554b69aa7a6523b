"""Slow clients against the dashboard's own server, without a reverse proxy in front."""

import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config

import webapp
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.visiting import make_settings
from webapp.serving.receiving import Inbox

FORM = b"POST /signin HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n"


@pytest.fixture(scope="module")
def address(tmp_path_factory, migrated_file) -> Iterator[str]:
    """A dashboard of one worker with two threads."""
    folder = tmp_path_factory.mktemp("slow")
    environ = environ_for(make_settings(folder / "site", migrated_file), ATTENDANCE_WEB_THREADS="2")
    with running_dashboard(environ, folder / "log") as found:
        yield found
    assert "Traceback" not in (folder / "log").read_text()


def connect(address: str) -> socket.socket:
    found = urlsplit(address)
    return socket.create_connection((found.hostname or "", found.port or 0), timeout=30)


def answers_to(address: str, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Everything that the server says until it closes."""
    with connect(address) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause_s)
        said = b""
        while data := client.recv(65_536):
            said += data
        return said


def is_well(address: str) -> bool:
    with urllib.request.urlopen(f"{address}/healthz", timeout=20) as answer:  # noqa: S310 - our own address
        return bool(answer.read() == b"ok\n")


def test_slow_heads_and_bodies_hold_no_threads(address):
    with ExitStack() as clients:
        for number in range(40):
            client = clients.enter_context(connect(address))
            client.sendall(GET[:20] if number % 2 else FORM % 1_000 + b"\r\nemail=somebody")
        assert is_well(address)
        assert is_well(address)


def test_answers_that_nobody_takes_hold_no_threads(address):
    """Whoever asks for the largest file again and again, and reads none of it."""
    with urllib.request.urlopen(f"{address}/signin", timeout=20) as page:  # noqa: S310 - our own address
        version = re.findall(rb"/static/([0-9a-f]{12})/", page.read())[0]
    static = Path(webapp.__file__).parent / "static"
    largest = max((path for path in static.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    file = b"/static/%s/%s" % (version, str(largest.relative_to(static)).encode())
    began = time.monotonic()
    with ExitStack() as clients:
        for _ in range(10):
            client = clients.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.connect((urlsplit(address).hostname, urlsplit(address).port))
            client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % file * 20)
        for _ in range(4):
            assert is_well(address)
            time.sleep(0.3)
    assert time.monotonic() - began < 10
    with connect(address) as client:  # who takes them gets all of them
        client.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % file * 4 + GET % b"Connection: close\r\n")
        time.sleep(0.5)
        taken = b"".join(iter(lambda: client.recv(65_536), b""))
    assert taken.count(largest.read_bytes()) == 4
    assert taken.endswith(b"ok\n")


def test_a_request_that_comes_byte_by_byte_is_answered(address):
    request = GET % b"Connection: close\r\n"
    said = answers_to(address, *(bytes([byte]) for byte in request), pause_s=0.005)
    assert said.startswith(b"HTTP/1.1 200")
    assert said.endswith(b"ok\n")


def test_a_body_arrives_whole_however_it_comes(address):
    body = b"email=" + b"x" * 300_000
    head = FORM % len(body) + b"Connection: close\r\n\r\n"
    said = answers_to(address, head, *(body[start : start + 50_000] for start in range(0, len(body), 50_000)))
    assert said.startswith(b"HTTP/1.1 400"), "read, and refused for its missing token"
    assert b"Connection: close" in said


def test_two_requests_in_one_go_and_a_third_later(address):
    with connect(address) as client:
        client.sendall(GET % b"" * 2 + (GET % b"")[:30])
        said = b""
        while said.count(b"ok\n") < 2:
            said += client.recv(65_536)
        client.sendall((GET % b"Connection: close\r\n")[30:])
        while data := client.recv(65_536):
            said += data
    assert said.count(b"HTTP/1.1 200") == said.count(b"ok\n") == 3


def test_a_body_without_a_length_is_refused(address):
    head = b"POST /signin HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answers_to(address, head).startswith(b"HTTP/1.1 411")


def test_a_body_that_is_too_large_is_refused_before_it_comes(address):
    for length in (2_000_000, 500_000_000):
        with connect(address) as client:
            client.sendall(FORM % length + b"Connection: close\r\n\r\n")
            if length < 100_000_000:
                client.sendall(b"x" * length)
            assert client.recv(65_536).startswith(b"HTTP/1.1 413"), length


def test_who_asks_before_sending_is_told_to_go_on(address):
    with connect(address) as client:
        client.sendall(FORM % 5 + b"Expect: 100-continue\r\nConnection: close\r\n\r\n")
        assert client.recv(1_000).startswith(b"HTTP/1.1 100")
        client.sendall(b"email")
        said = b""
        while data := client.recv(65_536):
            said += data
    assert b"HTTP/1.1 400" in said


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 4\r\nContent-Length: 60\r\n",
        b"Content-Length : 4\r\n",
        b"Content-Length: -4\r\n",
        b"Content-Length: +4\r\n",
        b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n",
        b"X: a\r\n folded\r\n",
        b"X: a\0b\r\n",
    ],
)
def test_a_head_that_can_be_read_in_two_ways_is_refused_with_what_follows(address, head):
    said = answers_to(address, b"POST /signin HTTP/1.1\r\nHost: x\r\n%s\r\nabcd" % head + GET % b"")
    assert said.startswith(b"HTTP/1.1 400")
    assert b"ok\n" not in said, "what follows was taken for a request"


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "css/%00", "....//app.py"]
)
def test_no_path_leads_out_of_the_static_folder(address, path):
    with urllib.request.urlopen(f"{address}/signin", timeout=20) as page:  # noqa: S310 - our own address
        version = re.findall(rb"/static/([0-9a-f]{12})/", page.read())[0]
    said = answers_to(address, b"GET /static/%s/%s HTTP/1.0\r\nHost: x\r\n\r\n" % (version, path.encode()))
    assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.0 404"))


def test_nonsense_is_refused(address):
    assert answers_to(address, b"no request at all\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_only_who_is_slow_is_not_waited_for():
    inbox = Inbox(Config(), ("127.0.0.1", 1))
    begins = inbox.since
    assert not inbox.overdue(begins + 4, stopping=False)
    assert inbox.overdue(begins + 6, stopping=False), "says nothing"
    assert inbox.overdue(begins, stopping=True)
    assert not inbox.feed(FORM % 100_000_000 + b"\r\n")
    assert not inbox.overdue(begins + 9, stopping=True)
    assert inbox.overdue(begins + 11, stopping=False), "says too little"
    inbox.feed(b"x" * 1_000_000)
    assert not inbox.overdue(begins + 200, stopping=False), "five kilobytes a second"
    assert inbox.overdue(begins + 300, stopping=False)
    inbox.close()


def test_the_end_of_a_head_is_found_wherever_it_is_cut_and_looked_for_once():
    request = GET % b"Connection: close\r\n"
    for cut in range(1, len(request)):
        with closing(Inbox(Config(), ("127.0.0.1", 1))) as inbox:
            assert not inbox.feed(request[:cut])
            assert inbox.feed(request[cut:])
    with closing(Inbox(Config(), ("127.0.0.1", 1))) as inbox:
        inbox.feed(b"GET / HTTP/1.1\r\nX: " + b"x" * 900_000)
        began = time.process_time()
        for _ in range(20_000):
            inbox.feed(b"x")
        assert time.process_time() - began < 0.3, "each byte costs the whole head"
