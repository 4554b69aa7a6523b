"""A real mail server on a socket, which takes mail or fails as a test tells it to."""

import asyncio
import email
import email.policy
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from operations.demo.programs import free_port

DROP, HANG = "drop", "hang"
"""In place of an answer: end the connection; say nothing for as long as the server runs."""
USER, PASSWORD = "post", "dark and stormy"


class Mailbox:
    """What came, and what is answered next: a list for each command, of which the first is used up each time."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.port = 0
        self.connections = 0
        self.secure: list[bool] = []
        self.signed_in: list[bool] = []
        self.mail: list[str] = []
        self.rcpt: list[str] = []
        self.data: list[str] = []
        self.noop: list[str] = []

    # aiosmtpd calls these by name, with these arguments in this order.
    async def handle_EHLO(  # noqa: N802
        self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Count connections; the one by which the server finds out that it runs is none."""
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Whom from."""
        self.secure.append(server.transport.get_extra_info("ssl_object") is not None)
        self.signed_in.append(bool(session.authenticated))
        answer = await self._answer(server, self.mail)
        envelope.mail_from, envelope.mail_options = address, options
        return answer

    async def handle_RCPT(  # noqa: N802
        self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        """Whom to."""
        answer = await self._answer(server, self.rcpt)
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """The text; kept also where the connection ends before the server says so."""
        planned = self.data[:1]
        if not planned or planned[0].startswith("250") or planned == [DROP]:
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
        return await self._answer(server, self.data)

    async def handle_NOOP(self, server: Any, _session: Any, _envelope: Any, _argument: str) -> str:  # noqa: N802
        """Whether it is there."""
        return await self._answer(server, self.noop)

    async def _answer(self, server: Any, planned: list[str]) -> str:
        answer = planned.pop(0) if planned else "250 OK"
        if answer == DROP:
            server.transport.abort()
        if answer == HANG:
            await asyncio.sleep(3600)
        return answer


@contextmanager
def running(mailbox: Mailbox, *, tls: ssl.SSLContext | None = None, **smtp: Any) -> Iterator[Mailbox]:
    """Run a mail server on loopback; `tls`: from the first byte; others: as for `aiosmtpd.smtp.SMTP`."""
    mailbox.port = free_port(0)
    server = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, ssl_context=tls, **smtp)
    server.start()
    try:
        yield mailbox
    finally:
        server.stop(no_assert=True)


def let_in(_server: SMTP, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
    """Whether the user and the password are right."""
    right = given == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)
