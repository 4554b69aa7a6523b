"""The way to the recognition service: address, encryption, token."""

import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import grpc
import structlog

from attendance.errors import AttendanceError
from attendance.settings.camera import RECORDING_METADATA
from attendance.settings.listening import host_of, is_loopback
from camera_client.addresses import show_address

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ConnectError(AttendanceError):
    """The service cannot be called with these settings; the message is one sentence for a person."""


class Token:
    """A camera's token, or an operator's, read when it is needed; its value never shows in representations.

    A token in a file is read again at every connection, so that one that was rotated needs no restart.
    """

    def __init__(self, read: Callable[[], str], file: Path | None = None) -> None:
        self._read = read
        self._file = file

    @classmethod
    def of_value(cls, value: str, whose: str = "the camera's token (setting ATTENDANCE_CAMERA_TOKEN)") -> "Token":
        """A token given as it is; `whose` it is, for people."""
        return cls(lambda: _checked(value, whose))

    @classmethod
    def of_file(cls, path: Path) -> "Token":
        """A token that a file holds, alone."""
        return cls(lambda: _checked(_content(path), f"the token file {path}"), path)

    def value(self) -> str:
        """The token.

        Raises:
            ConnectError: its file cannot be read, or it is no token.
        """
        return self._read()

    def check(self) -> None:
        """Read the token once, and warn of a file that every user of the machine may read.

        Raises:
            ConnectError: its file cannot be read, or it is no token.
        """
        self._read()
        if self._file is not None and self._file.stat().st_mode & stat.S_IROTH:
            log.warning("token_file_readable_by_all", file=str(self._file), advice=f"chmod 600 {self._file}")


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(10_000)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConnectError(f"the token file {path} cannot be read: {reason}") from None


def _checked(value: str, what: str) -> str:
    value = value.strip()
    if not value:
        raise ConnectError(f"{what} is empty")
    # gRPC metadata is printable ASCII, and a bearer token (RFC 6750) has no spaces.
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConnectError(f"{what} holds no token: one word of ASCII letters, digits and signs is expected")
    return value


class Connection:
    """Opens channels to one service, and refuses to show the token to a network that could read it."""

    def __init__(
        self,
        address: str,
        *,
        token: Token,
        tls_ca: Path | None = None,
        allow_plaintext: bool = False,
        camera: str | None = None,
        recording: Token | None = None,
    ) -> None:
        """Check the address and that the token may be sent there.

        Args:
            address: host:port, with an IPv6 address in brackets.
            token: the camera's.
            tls_ca: PEM file of certificate authorities; set, the connection is encrypted and the service verified.
            allow_plaintext: allow an unencrypted connection to another machine.
            camera: the camera's name, told with every call, so that a proxy before several services can keep all calls
                of a camera at one of them. It proves nothing; the token does.
            recording: the token of an operator who plays recordings as this camera.

        Raises:
            ConnectError: not an address, or unencrypted to another machine.
        """
        host = host_of(address)
        if host is None:
            raise ConnectError(
                f"{show_address(address)!r} (setting ATTENDANCE_CAMERA_SERVER) is no address of a service: "
                "host:port is expected, e.g. recognition.example.edu:50051"
            )
        if tls_ca is None and not allow_plaintext and not is_loopback(host):
            raise ConnectError(
                f"will not send the camera's token and pictures of students to {address} unencrypted, because anybody "
                "on the network between could read them: set ATTENDANCE_CAMERA_TLS_CA to the service's certificate "
                "authority, or ATTENDANCE_CAMERA_ALLOW_PLAINTEXT=true when the network itself is protected"
            )
        self.address = address
        self._token = token
        self._recording = recording
        self._tls_ca = tls_ca
        # Metadata is ASCII; names need not be.
        self._camera = quote(camera or "", safe="")

    @property
    def encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return self._tls_ca is not None

    def check(self) -> None:
        """Read the token and the certificate authority once, so that what is missing is told at the start.

        Raises:
            ConnectError: one of them cannot be read.
        """
        for token in self._tokens:
            token.check()
        if self._tls_ca is not None:
            _certificates(self._tls_ca)

    def open_channel(self) -> grpc.aio.Channel:
        """A fresh channel: with its own connection, so that trying again really tries again.

        Raises:
            ConnectError: the certificate authority cannot be read.
        """
        options: list[tuple[str, int | str]] = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.enable_retries", 0),
            ("grpc.primary_user_agent", "attendance-camera"),
        ]
        if self._tls_ca is None:
            # A proxy of the environment would carry the token in the clear, even to a service of this machine.
            return grpc.aio.insecure_channel(self.address, [*options, ("grpc.enable_http_proxy", 0)])
        credentials = grpc.ssl_channel_credentials(_certificates(self._tls_ca))
        return grpc.aio.secure_channel(self.address, credentials, options)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries. Holds the tokens: never log it.

        Raises:
            ConnectError: a token cannot be read.
        """
        found = [("authorization", f"Bearer {self._token.value()}")]
        if self._camera:
            found.append(("attendance-camera", self._camera))
        if self._recording is not None:
            found.append((RECORDING_METADATA, self._recording.value()))
        return tuple(found)

    def without_token(self, text: str) -> str:
        """A text from the service, without the tokens, should it repeat them."""
        for token in self._tokens:
            with suppress(ConnectError):
                text = text.replace(token.value(), "***")
        return text

    @property
    def _tokens(self) -> tuple[Token, ...]:
        return (self._token,) if self._recording is None else (self._token, self._recording)


def _certificates(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConnectError(f"ATTENDANCE_CAMERA_TLS_CA: {path} cannot be read: {error.strerror}") from None
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise ConnectError(f"ATTENDANCE_CAMERA_TLS_CA: {path} holds no certificate in PEM form")
    return content
