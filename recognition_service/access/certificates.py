"""The service's certificate, its key and its clients' authority: checked, and read again when the files change."""

import ssl
import threading
from pathlib import Path

import grpc
import structlog

from attendance.settings.model import ServiceSettings
from recognition_service.listening import ServerSetupError

_CERTIFICATE = "ATTENDANCE_SERVICE_TLS_CERTIFICATE"
_KEY = "ATTENDANCE_SERVICE_TLS_KEY"
_CLIENT_CA = "ATTENDANCE_SERVICE_TLS_CLIENT_CA"

log = structlog.get_logger()


def server_credentials(settings: ServiceSettings) -> grpc.ServerCredentials | None:
    """What the server proves itself with, and asks of its clients; None: the service speaks plain text.

    Raises:
        ServerSetupError: a file is missing or cannot be used.
    """
    certificate, key, authority = settings.tls_certificate, settings.tls_key, settings.tls_client_ca
    if certificate is None and key is None and authority is None:
        return None
    if certificate is None and key is None:
        raise ServerSetupError(f"{_CLIENT_CA} is set but {_CERTIFICATE} and {_KEY} are not: set all three")
    if certificate is None or key is None:
        missing, given = (_CERTIFICATE, _KEY) if certificate is None else (_KEY, _CERTIFICATE)
        raise ServerSetupError(f"{given} is set but {missing} is not: set both")
    files = Certificates(certificate, key, authority)
    return grpc.dynamic_ssl_server_credentials(
        files.read(),
        files.renewed,  # type: ignore[arg-type]  # None is gRPC's word for unchanged; its stubs do not know
        require_client_authentication=authority is not None,
    )


class Certificates:
    """The files. gRPC asks at every handshake whether they changed; connections that are open keep theirs."""

    def __init__(self, certificate: Path, key: Path, client_authority: Path | None) -> None:
        """Prepare; nothing is read yet.

        Args:
            certificate: PEM chain, the server's own certificate first.
            key: its PEM private key, unencrypted.
            client_authority: PEM certificates, one of which must have signed a client's; None: clients need none.
        """
        self._certificate = certificate
        self._key = key
        self._client_authority = client_authority
        self._state: tuple[object, ...] | None = None
        self._lock = threading.Lock()  # handshakes happen in threads of gRPC's own

    def read(self) -> grpc.ServerCertificateConfiguration:
        """The files as they are now.

        Raises:
            ServerSetupError: one cannot be read, is no PEM, or they do not fit together.
        """
        self._state = self._stamp()
        chain, key = _read(_CERTIFICATE, self._certificate), _read(_KEY, self._key)
        try:
            # gRPC would accept a pair that does not fit and refuse every client. An encrypted key gets no password.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate, self._key, password=lambda: "")
        except (ssl.SSLError, OSError) as error:
            raise ServerSetupError(
                f"{_CERTIFICATE} and {_KEY}: {self._certificate} and {self._key} are no PEM certificate chain and its "
                f"unencrypted private key ({_reason(error)})"
            ) from None
        return grpc.ssl_server_certificate_configuration([(key, chain)], root_certificates=self._authority())

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The files when they have changed and can be used; None: go on with those in use."""
        with self._lock:
            if self._stamp() == self._state:
                return None
            try:
                configuration = self.read()
            except ServerSetupError as error:
                log.error("certificates_not_renewed", reason=str(error))
                return None
            log.info("certificates_renewed", certificate=str(self._certificate))
            return configuration

    def _authority(self) -> bytes | None:
        if self._client_authority is None:
            return None
        authority = _read(_CLIENT_CA, self._client_authority)
        try:
            ssl.create_default_context(cadata=authority.decode("ascii"))
        except (ssl.SSLError, ValueError) as error:
            raise ServerSetupError(
                f"{_CLIENT_CA}: {self._client_authority} holds no PEM certificate ({_reason(error)})"
            ) from None
        return authority

    def _stamp(self) -> tuple[object, ...]:
        """What changes when a file does."""
        return tuple(_file_stamp(path) for path in (self._certificate, self._key, self._client_authority))


def _file_stamp(path: Path | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ServerSetupError(f"{setting}: cannot read {path}: {error.strerror}") from None
