"""The Prometheus endpoint: HTTP on an address of its own, so that a firewall can tell operators from cameras."""

from types import TracebackType

import structlog
from prometheus_client import start_http_server

from attendance.settings.listening import warn_of_plain_text
from recognition_service.listening import ServerSetupError, checked_address, end_server
from recognition_service.telemetry.metrics import Metrics

OFF = "off"

log = structlog.get_logger()


class MetricsServer:
    """Serves the metrics while it is entered, from threads of its own."""

    def __init__(self, listen: str, metrics: Metrics) -> None:
        """Prepare.

        Args:
            listen: address and port; port 0 takes a free one; "off" serves nothing.
            metrics: whose registry is served.
        """
        self._listen = listen
        self._metrics = metrics
        self.port: int | None = None
        """The port it is bound to; None while it serves nothing."""

    def __enter__(self) -> "MetricsServer":
        """Begin.

        Raises:
            ServerSetupError: the address is no address, or in use.
        """
        if self._listen == OFF:
            return self
        host, port = checked_address(self._listen, "ATTENDANCE_SERVICE_METRICS_LISTEN")
        try:
            self._server, self._thread = start_http_server(port, host.strip("[]"), self._metrics.registry)
        except OSError as error:
            raise ServerSetupError(
                f"ATTENDANCE_SERVICE_METRICS_LISTEN: cannot listen on {self._listen} ({error.strerror}); choose "
                f"another port, or {OFF}"
            ) from None
        self.port = self._server.server_port
        warn_of_plain_text(
            self._listen,
            setting="ATTENDANCE_SERVICE_METRICS_LISTEN",
            shows="names of cameras, and how many people they saw",
            advice="let a firewall allow only the machine that collects metrics, or listen on 127.0.0.1",
        )
        log.info("metrics_listening", address=f"{host}:{self.port}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.port is None:
            return
        self.port = None
        end_server(self._server, self._thread)
