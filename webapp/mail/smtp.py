"""The way to the mail server: one connection for many mails, and what each of its answers means."""

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from attendance.errors import AttendanceError
from attendance.settings.mail import MailSecurity, MailSettings
from attendance.texts import english

Server = TypeVar("Server", bound=smtplib.SMTP)

_LONGEST_ANSWER = 200
_UNAVAILABLE = 421
_AUTHENTICATION = (530, 534, 535, 538)
_BEYOND_ASCII = english("The mail server cannot write to addresses with letters beyond ASCII.")
_ANSWERS = 8
"""That a mail waits for at most, from opening the connection to the end of its text."""


class MailServerError(AttendanceError):
    """The mail server takes nothing now: it is away, hangs, refuses us, or is not who it should be."""


class MailPutOffError(AttendanceError):
    """The mail server did not take this mail for now, or it is not known whether it did."""


class MailRefusedError(AttendanceError):
    """The mail server will never take this mail."""


@dataclass(frozen=True)
class Envelope:
    """A mail on its way to one recipient.

    Attributes:
        content: headers and text, with CRLF.
        beyond_ascii: an address has letters that only some servers can write to (RFC 6531).
    """

    sender: str
    recipient: str
    content: bytes
    beyond_ascii: bool = False


class MailServer:
    """One connection at a time to the configured mail server, kept for the next mail."""

    def __init__(self, settings: MailSettings, *, name: str, tls: ssl.SSLContext | None = None) -> None:
        """Get ready; nothing is opened yet.

        Args:
            settings: with a host.
            name: of this machine as the server is told: the host of the dashboard's address.
            tls: what certificates are believed; the system's unless given.
        """
        self._settings = settings
        self._name = name
        self._tls = tls or ssl.create_default_context()
        self._connection: smtplib.SMTP | None = None
        self._used = False  # the connection, for a mail

    @property
    def longest_s(self) -> float:
        """Seconds after which a mail that is being sent is broken off, however lively the server seems."""
        return self._settings.timeout_s * _ANSWERS

    def open(self) -> None:
        """Have a connection that works, signed in.

        Raises:
            MailServerError: there is none to be had; the message says why.
        """
        with self._broken_off():
            if self._connection is not None and not self._is_alive():
                self._drop()  # it was idle for too long
            self._opened()

    def send(self, envelope: Envelope) -> None:
        """Send a mail to its one recipient.

        Raises:
            MailServerError: the server is away or refuses us; it has not taken the mail.
            MailPutOffError: the server did not take this mail for now, or the connection broke before it said so.
            MailRefusedError: the server will never take it.
        """
        with self._broken_off():
            used = self._used
            try:
                self._hand_over(envelope)
            except MailServerError:
                if not used:
                    raise
                self._hand_over(envelope)  # over a new connection: servers end one after so many mails

    def close(self) -> None:
        """End the connection, politely where that works."""
        if self._connection is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._connection.quit()
            self._drop()

    def _hand_over(self, envelope: Envelope) -> None:
        """One mail's dialogue. Until the text is sent, a broken connection means that nothing was taken."""
        server = self._opened()
        self._used = True
        if envelope.beyond_ascii and not server.has_extn("smtputf8"):
            raise MailRefusedError(_BEYOND_ASCII)
        options = ["SMTPUTF8", "BODY=8BITMIME"] if envelope.beyond_ascii else []
        with self._away_if_broken():
            self._judge(*server.mail(envelope.sender, options), ours=True)
            self._judge(*server.rcpt(envelope.recipient))
        try:
            code, answer = server.data(envelope.content)
        except smtplib.SMTPDataError as error:  # refused before the text
            code, answer = error.smtp_code, _bytes(error.smtp_error)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            why = self._why(error)
            text = english("The connection broke before the server said that it took the mail: %(why)s", why=why)
            raise MailPutOffError(text) from None
        self._judge(code, answer)

    def _judge(self, code: int, answer: bytes, *, ours: bool = False) -> None:
        """What an answer means; `ours`: to our own address, so that a refusal is of us and not of a recipient."""
        if 200 <= code < 300:
            return
        said = english("The mail server said: %(answer)s", answer=f"{code} {_line(answer)}")
        if code == _UNAVAILABLE or code in _AUTHENTICATION or ours:
            self._drop()
            raise MailServerError(said)
        self._begin_anew()
        raise MailRefusedError(said) if code >= 500 else MailPutOffError(said)

    def _begin_anew(self) -> None:
        """Forget the mail that the server did not take, so that the connection can be used for the next."""
        try:
            fresh = self._connection is not None and self._connection.rset()[0] == 250
        except (OSError, smtplib.SMTPException):
            fresh = False
        if not fresh:
            self._drop()

    def _is_alive(self) -> bool:
        try:
            return self._connection is not None and self._connection.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def _opened(self) -> smtplib.SMTP:
        connection = self._connection
        if connection is None:
            with self._away_if_broken():
                connection = self._connect()
        return connection

    def _connect(self) -> smtplib.SMTP:
        wanted = self._settings
        if wanted.security is MailSecurity.TLS:
            server: smtplib.SMTP = _known_early(smtplib.SMTP_SSL, self._know)(
                wanted.host, wanted.port, self._name, timeout=wanted.timeout_s, context=self._tls
            )
        else:
            server = _known_early(smtplib.SMTP, self._know)(
                wanted.host, wanted.port, self._name, timeout=wanted.timeout_s
            )
        server.ehlo_or_helo_if_needed()
        if wanted.security is MailSecurity.STARTTLS:
            server.starttls(context=self._tls)
            server.ehlo_or_helo_if_needed()
        if wanted.user:
            if wanted.password is None:
                raise MailServerError(
                    english("ATTENDANCE_MAIL_PASSWORD, the password of %(user)s, is not set here.", user=wanted.user)
                )
            server.login(wanted.user, wanted.password.get_secret_value())
        return server

    def _know(self, connection: smtplib.SMTP) -> None:
        self._connection = connection

    @contextlib.contextmanager
    def _away_if_broken(self) -> Iterator[None]:
        try:
            yield
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            self._drop()
            where, why = f"{self._settings.host}:{self._settings.port}", self._why(error)
            text = english("The mail server %(where)s cannot be used: %(why)s", where=where, why=why)
            raise MailServerError(text) from None
        except MailServerError:
            self._drop()
            raise

    def _why(self, error: Exception) -> str:
        """The fault in words, without the password."""
        if isinstance(error, smtplib.SMTPResponseException):
            said = f"{error.smtp_code} {_line(_bytes(error.smtp_error))}"
            if isinstance(error, smtplib.SMTPAuthenticationError):
                return english("it does not let %(user)s in (%(answer)s)", user=self._settings.user, answer=said)
            return english("it said %(answer)s", answer=said)
        if isinstance(error, smtplib.SMTPServerDisconnected) and isinstance(error.__context__, TimeoutError):
            error = error.__context__
        if isinstance(error, ssl.SSLCertVerificationError):
            return english("its certificate is not good: %(why)s", why=error.verify_message)
        seconds = f"{self._settings.timeout_s:g}"
        words: dict[type[Exception], str] = {
            TimeoutError: english("it did not answer within %(seconds)s seconds", seconds=seconds),
            socket.gaierror: english("its name is not known"),
            UnicodeError: english("the user or the password has letters beyond ASCII"),
        }
        known = next((text for kind, text in words.items() if isinstance(error, kind)), None)
        return known or _line((getattr(error, "strerror", None) or str(error)).encode())

    @contextlib.contextmanager
    def _broken_off(self) -> Iterator[None]:
        """Break the connection after so long: a server that sends a byte now and then never times out by itself."""
        timer = threading.Timer(self.longest_s, self._break)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _break(self) -> None:
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._used = None, False


def _known_early(kind: type[Server], know: Callable[[smtplib.SMTP], None]) -> type[Server]:
    """A kind of connection that is known before the server greets, so that an endless greeting can be broken off."""

    class Known(kind):  # type: ignore[misc,valid-type]
        def connect(self, *args: Any, **options: Any) -> Any:
            know(self)
            return super().connect(*args, **options)

    return Known


def _bytes(answer: bytes | str) -> bytes:
    return answer if isinstance(answer, bytes) else answer.encode()


def _line(answer: bytes) -> str:
    """An answer as one short line for people."""
    return " ".join(answer.decode("utf-8", "replace").split())[:_LONGEST_ANSWER]
