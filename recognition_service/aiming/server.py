"""The aiming view's own HTTP server, which the dashboard asks: numbers of the newest picture, then the picture.

It listens on this machine unless told otherwise, and shows nothing without a ticket that the dashboard signed for this
camera. Nothing of a request is logged, and no answer may be kept.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.aiming import SCHEME, AimingAnswer, AimingProblem
from attendance.database.access.aiming_tickets import Ticket, TicketError, check_ticket
from attendance.database.engine import DatabaseError
from attendance.settings.listening import warn_of_plain_text
from recognition_service.aiming.errors import STATUS_OF, AimingError
from recognition_service.aiming.shots import told
from recognition_service.aiming.views import AimingViews
from recognition_service.listening import ServerSetupError, address_for_others, checked_address, end_server

OFF = "off"

_WAIT_S = 10.0
"""How long a request waits for the camera's next frame."""
_OVERHEAD_S = 5.0
_MOST_AT_ONCE = 16
_SILENT_S = 10.0
_DIGITS = 18
_PATH = re.compile(r"/cameras/(?P<camera>[0-9]{1,18})/shots(/(?P<number>[0-9]{1,18})\.jpg)?", re.ASCII)

T = TypeVar("T")

log = structlog.get_logger()


class AimingServer:
    """Serves the aiming view from threads of its own."""

    def __init__(self, listen: str, address: str | None, views: AimingViews, sessions: sessionmaker[Session]) -> None:
        """Prepare.

        Args:
            listen: address and port; port 0 takes a free one; "off" serves nothing.
            address: at which the dashboard reaches it; None: as it listens.
            views: the pictures.
            sessions: of the shared database.
        """
        self._listen = listen
        self._address = address
        self._views = views
        self._sessions = sessions
        self._server: _Server | None = None
        self.address: str | None = None
        """At which the dashboard reaches it; None while it serves nothing."""

    def start(self) -> None:
        """Begin; called by the event loop's thread.

        Raises:
            ServerSetupError: the address is no address, or in use.
        """
        if self._listen == OFF:
            return
        setting = "ATTENDANCE_SERVICE_AIMING_LISTEN"
        host, port = checked_address(self._listen, setting)
        try:
            self._server = _Server(
                (host.strip("[]"), port), self._views, self._sessions, asyncio.get_running_loop(), ipv6=":" in host
            )
        except OSError as error:
            raise ServerSetupError(
                f"{setting}: cannot listen on {self._listen} ({error.strerror}); choose another port, or {OFF}"
            ) from None
        bound = self._server.server_port
        self.address = self._address or address_for_others(f"{host}:{bound}")
        self._thread = threading.Thread(target=self._server.serve_forever, name="aiming", daemon=True)
        self._thread.start()
        warn_of_plain_text(
            self._listen,
            setting=setting,
            shows="what cameras see while they are hung, and tickets of two minutes for it",
            advice="listen on 127.0.0.1, or only in a network that nobody else hears",
        )
        log.info("aiming_listening", address=f"{host}:{bound}")

    def close(self) -> None:
        """End it; requests that wait are cut off. Called while the event loop runs."""
        if self._server is None:
            return
        self.address = None
        end_server(self._server, self._thread)
        self._server = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        address: tuple[str, int],
        views: AimingViews,
        sessions: sessionmaker[Session],
        loop: asyncio.AbstractEventLoop,
        *,
        ipv6: bool,
    ) -> None:
        if ipv6:
            self.address_family = socket.AF_INET6
        self.views = views
        self.sessions = sessions
        self.loop = loop
        self.at_once = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking name servers what this machine is called, as HTTPServer does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; what fails for another reason is logged where it does."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENT_S
    server_version, sys_version = "attendance", ""

    def do_GET(self) -> None:
        """Answer."""
        if not self.server.at_once.acquire(blocking=False):
            self._refuse(AimingProblem.BUSY)
            return
        try:
            self._show()
        except (AimingError, TicketError) as error:
            self._refuse(error.problem)
        except (sa.exc.SQLAlchemyError, DatabaseError, TimeoutError) as error:
            log.warning("aiming_not_answered", reason=type(error).__name__)
            self._refuse(AimingProblem.BUSY)
        except ConnectionError:  # whoever asked is gone
            self.close_connection = True
        except Exception:
            log.exception("aiming_failed")
            self._refuse(AimingProblem.BUSY)
        finally:
            self.server.at_once.release()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a path names a camera, and a header holds a ticket."""

    def _show(self) -> None:
        url = urlsplit(self.path)
        path = _PATH.fullmatch(url.path)
        if path is None:
            raise AimingError(AimingProblem.GONE)
        camera_id = int(path["camera"])
        ticket = self._ticket(camera_id)
        views = self.server.views
        if path["number"] is not None:
            picture = self._wait(views.picture(camera_id, int(path["number"]), clear=ticket.clear))
            self._answer(HTTPStatus.OK, "image/jpeg", picture)
            return
        asked = parse_qs(url.query)
        wait_s = _number(asked, "wait")
        longest = _WAIT_S if wait_s is None else min(wait_s, _WAIT_S)
        shot = self._wait(views.shot(camera_id, after=_number(asked, "after"), wait_s=longest))
        said = told(shot, clear=ticket.clear)
        self._answer(HTTPStatus.OK, "application/json", said.model_dump_json().encode())

    def _ticket(self, camera_id: int) -> Ticket:
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        if scheme != SCHEME:
            raise TicketError(AimingProblem.FORGED)
        with self.server.sessions() as db:
            return check_ticket(db, text, camera_id=camera_id, now=datetime.now(UTC))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.server.loop).result(_WAIT_S + _OVERHEAD_S)

    def _refuse(self, problem: AimingProblem) -> None:
        self._answer(STATUS_OF[problem], "application/json", AimingAnswer(problem=problem).model_dump_json().encode())

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _number(asked: dict[str, list[str]], name: str) -> int | None:
    text = asked.get(name, [""])[0]
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None
