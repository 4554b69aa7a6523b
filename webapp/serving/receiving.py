"""Requests are received whole before a thread is given to them, so that slow clients hold connections and no threads.

gunicorn's threads would read a request themselves, and wait for whoever sends a byte a minute. So they would for who
takes an answer slowly: the operating system holds ordinary answers for a connection, and its next request waits until
they are taken. A reverse proxy in front does the same as this; who has none is not helpless then.
"""

import array
import errno
import fcntl
import termios
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from socket import SO_SNDBUF, SOL_SOCKET, socket
from tempfile import SpooledTemporaryFile
from typing import Any

from gunicorn.http.body import LengthReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import IterUnreader
from gunicorn.workers.gthread import TConn, ThreadWorker

from webapp.serving.health import PATH as HEALTH

_IN_MEMORY = 64_000
"""Bytes of a request; more goes to a file."""
_MOST_BYTES = 128_000_000
"""Of a body, as in deploy/nginx. A view's own limit is smaller; beyond this one a body is not even received."""
_LONGEST_HEAD = 1_000_000
_LARGE, _MOST_HELD = 1_000_000, 512_000_000
"""Bytes of a request that is not small any more, and of all requests that are not complete, in one worker."""
_AT_ONCE = 262_144
_SLOW_START_S, _SLOWEST = 10.0, 4_000
"""Seconds for any request, and bytes a second for longer ones: whoever is slower is not waited for."""
_SILENT_S = 5.0
"""How long a new connection may say nothing."""
_LONGEST_SEND_S = 30.0
"""How long a client may take nothing of an answer; until then it holds a thread."""
_HELD_BYTES = 1_000_000
"""Of answers that a client has not taken yet, held by the operating system: more than an ordinary page or file has.
Linux may give less (net.core.wmem_max), and counts its own overhead."""
_MOST_UNTAKEN = 64_000
"""Bytes; with more a connection's next request waits."""
_HEALTH_THREADS = 4
"""Of their own: where pages wait for a frozen database in all the others, monitoring is still told so."""
_HEAD_ENDS = b"\r\n\r\n"
_NEEDS_LENGTH = "411 Length Required"
_LAST_WORDS = ("Connection: close", "Content-Length: 0")
_TOO_SLOW = "408 Request Timeout"


class Inbox:
    """The requests of one connection, one after the other; gunicorn's parser reads from it as from a socket."""

    def __init__(self, cfg: Any, client: Any) -> None:
        self._cfg = cfg
        self._client = client
        self._rest = b""
        self._file: SpooledTemporaryFile[bytes] | None = None
        self.begin()

    def begin(self) -> bool:
        """Wait for the next request; whether it is there already, sent together with the last one."""
        self.close()
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - it outlives this call
        self._head = bytearray()
        self._missing: int | None = None
        self.size = 0
        """Bytes received."""
        self.since = time.monotonic()
        self.refusal = ""
        """The status with which the request is refused without looking at it further."""
        self.path = ""
        """What is asked for, without the query; empty while the head is not complete or cannot be read."""
        self.expects_go_ahead = False
        """Whether the client waits for a word before it sends the body."""
        self.left_out = False
        """Whether a body was announced that is not received."""
        rest, self._rest = self._rest, b""
        return bool(rest) and self.feed(rest)

    def feed(self, data: bytes) -> bool:
        """Take bytes; whether the request is complete, or is not going to be."""
        self.size += len(data)
        if self._missing is None:
            looked_at = max(0, len(self._head) - len(_HEAD_ENDS) + 1)
            self._head += data
            ends = self._head.find(_HEAD_ENDS, looked_at)
            if ends < 0:
                if len(self._head) > _LONGEST_HEAD:
                    return self._finish(bytes(self._head))
                return False
            head, data = bytes(self._head[: ends + len(_HEAD_ENDS)]), bytes(self._head[ends + len(_HEAD_ENDS) :])
            self._write(head)
            self._missing = self._body_of(head)
        self._write(data[: self._missing])
        self._rest = data[self._missing :]
        self._missing = max(0, self._missing - len(data))
        return self._finish() if self._missing == 0 else False

    def recv(self, size: int) -> bytes:
        """The next bytes of the request, as a socket gives them; none at its end."""
        return b"" if self._file is None else self._file.read(size)

    @property
    def has_more(self) -> bool:
        """Whether something of the next request is here."""
        return bool(self._rest)

    def overdue(self, now: float, *, stopping: bool) -> bool:
        """Whether it is not worth waiting for more."""
        if not self.size:
            return stopping or now > self.since + _SILENT_S
        return now > self.since + _SLOW_START_S + self.size / _SLOWEST

    def close(self) -> None:
        """Let go of the request."""
        if self._file is not None:
            self._file.close()

    def _body_of(self, head: bytes) -> int:
        """Bytes of body to wait for, as gunicorn itself reads the head; what it does not like it refuses later."""
        try:
            request = Request(self._cfg, IterUnreader([head]), self._client)
        except Exception:  # gunicorn's own, of several kinds
            self.left_out = True
            return 0
        self.path = str(request.path)
        if not isinstance(request.body.reader, LengthReader):
            self.refusal = _NEEDS_LENGTH
            return 0
        self.expects_go_ahead = bool(request._expected_100_continue)
        length = int(request.body.reader.length)
        if length > _MOST_BYTES:
            self.left_out = True
            return 0
        return length

    def _write(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)

    def _finish(self, data: bytes = b"") -> bool:
        self._write(data)
        if self._file is not None:
            self._file.seek(0)
        return True


class ClientConnection(TConn):  # type: ignore[misc] # gunicorn has no types
    """A connection whose requests are read from its inbox."""

    def __init__(self, cfg: Any, sock: socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.inbox = Inbox(cfg, client)
        self.data_ready = True

    def init(self) -> None:
        """Prepare for answering, before each request."""
        self.sock.settimeout(_LONGEST_SEND_S)
        self.initialized = True
        if self.parser is None:  # type: ignore[has-type]
            self.parser = RequestParser(self.cfg, self.inbox, self.client)

    def close(self, graceful: bool = False) -> None:
        """Close it with what it holds."""
        self.inbox.close()
        super().close(graceful)


class ReceivingWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's threaded worker, whose threads get requests that are complete."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._receiving: dict[ClientConnection, None] = {}  # oldest first
        self._untaken: dict[ClientConnection, float] = {}
        """Connections with a request to answer whose client has not taken the answer before, and since when."""
        self._health_threads = ThreadPoolExecutor(_HEALTH_THREADS, thread_name_prefix="health")

    def accept(self, listener: socket) -> None:
        """Accept a connection and receive its first request."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        sock.setsockopt(SOL_SOCKET, SO_SNDBUF, _HELD_BYTES)
        self._receive(ClientConnection(self.cfg, sock, client, listener.getsockname()), known=False)

    def on_client_socket_readable(self, conn: ClientConnection, client: socket) -> None:
        """Receive the next request of a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._receive(conn, known=conn.inbox.begin())

    def enqueue_req(self, conn: ClientConnection) -> None:
        """Give a request that is complete to a thread; as gunicorn does, but for questions about our health."""
        threads = self._health_threads if conn.inbox.path == HEALTH else self.tpool
        answered = threads.submit(self.handle, conn)
        answered.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: ClientConnection, fs: Any) -> None:
        """As gunicorn does; a request that came together with the last one makes the socket not readable again."""
        super().finish_request(conn, fs)
        if conn.inbox.has_more and conn in self.keepalived_conns:
            self.on_client_socket_readable(conn, conn.sock)

    def murder_pending(self) -> None:
        """Close what is not worth waiting for; gunicorn asks every second."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [conn for conn in self._receiving if conn.inbox.overdue(now, stopping=not self.alive)]:
            self._drop(conn, _TOO_SLOW if conn.inbox.size else "")
        for conn, since in list(self._untaken.items()):
            taken = _untaken_bytes(conn.sock) <= _MOST_UNTAKEN
            if taken or not self.alive or now > since + _LONGEST_SEND_S:
                del self._untaken[conn]
                self._go_on(conn, taken=taken)

    def handle_request(self, req: Any, conn: ClientConnection) -> bool:
        """Answer; a client that does not take the answer is gone, and no fault of ours."""
        try:
            return bool(super().handle_request(req, conn))
        except TimeoutError:
            raise BrokenPipeError(errno.EPIPE, "the client takes nothing of the answer") from None

    def _keepalive_after(self, conn: ClientConnection, keepalive: bool) -> bool:
        # Behind a body that was not received, nobody knows where the next request begins.
        return False if conn.inbox.left_out else bool(super()._keepalive_after(conn, keepalive))

    def _receive(self, conn: ClientConnection, *, known: bool) -> None:
        if known:
            self._answer(conn)
            return
        conn.sock.setblocking(False)
        self._receiving[conn] = None
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))
        if self.nr_conns >= self.worker_connections - self.cfg.threads:
            self._drop_oldest(lambda other: other is not conn)

    def _on_readable(self, conn: ClientConnection, sock: socket) -> None:
        try:
            data = sock.recv(_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(conn)
        elif conn.inbox.feed(data):
            self._forget(conn)
            self._answer(conn)
        elif conn.inbox.expects_go_ahead:
            conn.inbox.expects_go_ahead = False
            _send(conn, "100 Continue")
        elif sum(other.inbox.size for other in self._receiving) > _MOST_HELD:
            self._drop_oldest(lambda other: other.inbox.size > _LARGE)

    def _answer(self, conn: ClientConnection) -> None:
        if conn.inbox.refusal:
            self.nr_conns -= 1
            _send(conn, conn.inbox.refusal, *_LAST_WORDS)
            conn.close()
        elif _untaken_bytes(conn.sock) > _MOST_UNTAKEN:
            self._untaken[conn] = time.monotonic()
        else:
            self.enqueue_req(conn)

    def _go_on(self, conn: ClientConnection, *, taken: bool) -> None:
        """Answer a request that waited, or let its client go."""
        if taken:
            self.enqueue_req(conn)
        else:
            self.nr_conns -= 1
            conn.close()

    def _drop_oldest(self, which: Callable[[ClientConnection], bool]) -> None:
        """Make room: whoever has been sending for longest is slowest."""
        oldest = next(filter(which, self._receiving), None)
        if oldest is not None:
            self._drop(oldest, _TOO_SLOW)

    def _drop(self, conn: ClientConnection, status: str = "") -> None:
        self._forget(conn)
        self.nr_conns -= 1
        if status:
            _send(conn, status, *_LAST_WORDS)
        conn.close()

    def _forget(self, conn: ClientConnection) -> None:
        del self._receiving[conn]
        self.poller.unregister(conn.sock)


def _untaken_bytes(sock: socket) -> int:
    """What was sent and not received by the other side yet (Linux: SIOCOUTQ, tcp(7)); 0 for a socket that is gone."""
    waiting = array.array("i", [0])
    try:
        fcntl.ioctl(sock, termios.TIOCOUTQ, waiting)
    except (OSError, ValueError):
        return 0
    return waiting[0]


def _send(conn: ClientConnection, status: str, *headers: str) -> None:
    try:
        conn.sock.setblocking(False)
        conn.sock.send("\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("ascii"))
    except OSError:
        pass  # it does not listen either
