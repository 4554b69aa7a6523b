"""The dashboard under gunicorn: threads in worker processes, each of which also closes ended sessions."""

import logging
import socket
from collections.abc import Callable
from typing import Any, cast

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from attendance.database.closer import Closer
from attendance.errors import AttendanceError
from attendance.settings import Settings
from attendance.settings.listening import warn_of_plain_text
from webapp.register.views import streams_of
from webapp.serving.receiving import ReceivingWorker
from webapp.tools.storage import sessions_of

_GRACE_S = 20
_KEEP_ALIVE_S = 5
_LAST_PORT = 65535


class ListenError(AttendanceError):
    """The address cannot be listened on; the message says why."""


def serve(settings: Settings, build: Callable[[Settings], Flask], on_ready: Callable[[str], None]) -> None:
    """Run the dashboard until SIGTERM or Ctrl-C; ends the process.

    Args:
        settings: checked.
        build: makes the application; called in each worker.
        on_ready: called once with the dashboard's address when connections are accepted.

    Raises:
        ListenError: the address is taken or is none of this machine's.
    """
    check_address(settings.web.listen)
    if not settings.web.secure_cookies:  # set where a proxy with TLS is in front
        warn_of_plain_text(
            settings.web.listen,
            setting="ATTENDANCE_WEB_LISTEN",
            shows="passwords, cookies and registers",
            advice="put a web server with TLS in front, and set ATTENDANCE_WEB_SECURE_COOKIES; or listen on 127.0.0.1",
        )
    _Dashboard(settings, build, on_ready).run()


def check_address(listen: str) -> None:
    """See whether one can listen there.

    Raises:
        ListenError: the address is no "host:port", is taken, or is none of this machine's.
    """
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or int(port) > _LAST_PORT:
        raise ListenError(f"ATTENDANCE_WEB_LISTEN: {listen!r} is no address and port, like 127.0.0.1:8000")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found[:1]:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise ListenError(f"ATTENDANCE_WEB_LISTEN: cannot listen on {listen}: {error.strerror or error}") from None


def start_closer(app: Flask, settings: Settings, processes: int) -> Closer:
    """Close ended sessions from this process, so often that all processes together look once an interval."""
    closer = Closer(sessions_of(app), settings.service.close_interval_s * processes, waits_first=True)
    closer.start()
    return closer


class _Dashboard(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn's settings and the application, which each worker builds for itself after the fork."""

    def __init__(self, settings: Settings, build: Callable[[Settings], Flask], on_ready: Callable[[str], None]) -> None:
        self._settings = settings
        self._build = build
        self._on_ready = on_ready
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn should do; its own environment variables and files are not asked."""
        web = self._settings.web
        values: dict[str, Any] = {
            "bind": web.listen,
            "workers": web.workers,
            "threads": web.threads,
            "worker_class": _Worker,
            "graceful_timeout": _GRACE_S,
            "keepalive": _KEEP_ALIVE_S,
            "logger_class": _Logger,
            "loglevel": self._settings.log.level,
            "control_socket_disable": True,
            # Who is believed about scheme and address is ProxyFix's business (`trusted_proxies`).
            "forwarded_allow_ips": "",
            "when_ready": lambda arbiter: self._on_ready(_address_of(arbiter)),
            "post_worker_init": self._start_worker,
            "worker_exit": _stop_worker,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The application, in a worker."""
        return self._build(self._settings)

    def _start_worker(self, worker: "_Worker") -> None:
        worker.closer = start_closer(worker.application, self._settings, self._settings.web.workers)


class _Worker(ReceivingWorker):
    """Receives requests before it gives them to threads, and ends its live streams as soon as it is asked to stop."""

    closer: Closer | None = None

    @property
    def application(self) -> Flask:
        """What `load` made."""
        return cast(Flask, self.wsgi)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Tell the streams, then stop in gunicorn's way."""
        if getattr(self, "wsgi", None) is not None:
            streams_of(self.application).stopping.set()
        super().handle_exit(sig, frame)


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's events through the program's own logging."""

    def setup(self, cfg: Any) -> None:
        """Hand everything to the root logger."""
        super().setup(cfg)
        for handler in list(self.error_log.handlers):
            self.error_log.removeHandler(handler)
        self.error_log.propagate = True
        self.error_log.setLevel(max(logging.WARNING, self.loglevel) if self.loglevel > logging.DEBUG else logging.DEBUG)


def _stop_worker(_arbiter: Any, worker: _Worker) -> None:
    if worker.closer is not None:
        worker.closer.stop()


def _address_of(arbiter: Any) -> str:
    host, port = arbiter.LISTENERS[0].sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
