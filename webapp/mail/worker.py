"""The worker that sends mail: claims one after the other, over one connection."""

import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from flask import Flask
from sqlalchemy.orm import Session

from attendance.database.mail import claim_mail, put_off
from attendance.database.models import QueuedMail, utc_now
from attendance.database.outgoing.queue import note_dropped, note_failed, note_sent, write_down
from attendance.database.transactions import is_databases_fault, transact
from attendance.settings import Settings
from attendance.texts import english
from webapp.mail.envelope import envelope_of
from webapp.mail.kinds import KINDS
from webapp.mail.letters import NoLongerWantedError, site_host, writing
from webapp.mail.smtp import MailPutOffError, MailRefusedError, MailServer, MailServerError
from webapp.tools.languages import offered
from webapp.tools.storage import sessions_of

log = structlog.get_logger()

_POLL_S = 2.0
_KEEP_S = 20.0
"""For so long a connection is kept for the next mail."""
_SERVER_PAUSE = timedelta(minutes=1)
"""Of a mail that the server as a whole did not take. It is none of that mail's fault: its pauses do not grow."""
_LEASE_LEFT = timedelta(minutes=2)
"""Beside what sending takes: for the database, before a mail counts as left by a worker that died."""
_UNWRITTEN = english("Its text could not be made; the worker's log says why.")
_URGENT = frozenset(kind.name for kind in KINDS.values() if kind.urgent)


@dataclass(frozen=True)
class End:
    """How an attempt at a mail ended.

    Attributes:
        outcome: "sent", "put_off", "failed" or "dropped".
        note: writes it down, given the reason where there is one.
        reason: a sentence for people; may hold an address.
        server_refuses: the mail server as a whole, so that no other mail would fare better.
    """

    outcome: str
    note: Callable[..., bool]
    reason: str | None = None
    server_refuses: bool = False


class MailWorker:
    """One worker. Any number may work at once.

    A mail is claimed, its text made, sent, and its end written down, each in a transaction of its own.
    """

    pause_s = _POLL_S

    def __init__(self, app: Flask, settings: Settings, *, tls: ssl.SSLContext | None = None) -> None:
        """Get ready; nothing is opened yet.

        Args:
            app: the dashboard, for its texts and the addresses of its pages.
            settings: all of them; mail is on.
            tls: what certificates are believed; the system's unless given.
        """
        self._app = app
        self._settings = settings
        self._sessions = sessions_of(app)
        with app.app_context():
            self._host = site_host()
        self._server = MailServer(settings.mail, name=self._host, tls=tls)
        self._used = -_KEEP_S
        self.refusals = 0
        """Of the server as a whole, in a row."""
        self.outcomes: Counter[str] = Counter()
        """How many mails were "sent", "put_off", "failed" and "dropped"."""

    def rest(self) -> None:
        """No mail is due: end a connection that was idle for long."""
        if time.monotonic() - self._used > _KEEP_S:
            self._server.close()

    def close(self) -> None:
        """End the connection."""
        self._server.close()

    def step(self, stopping: threading.Event) -> bool:
        """Send the mail that is due next; whether more may be due.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away or refuses.
        """
        with self._sessions() as db:
            mail = self._claim(db)
            if mail is None:
                return False
            end = self._try(db, mail)
            self.refusals = self.refusals + 1 if end.server_refuses else 0
            self._used = time.monotonic()
            self.outcomes[end.outcome] += 1
            log.info("mail_ended", mail=mail.id, kind=mail.kind, attempt=mail.attempts, outcome=end.outcome)
            words, now = () if end.reason is None else (end.reason,), utc_now()
            write_down(db, lambda db: end.note(db, mail, *words, now=now), patience=_LEASE_LEFT, stopping=stopping)
        return not self.refusals

    def _claim(self, db: Session) -> QueuedMail | None:
        lease = timedelta(seconds=self._server.longest_s) + _LEASE_LEFT
        most = self._settings.mail.most_a_minute
        return transact(db, lambda db: claim_mail(db, now=utc_now(), lease=lease, urgent=_URGENT, most_a_minute=most))

    def _try(self, db: Session, mail: QueuedMail) -> End:
        """Send a mail, or find out why not."""
        try:
            self._server.open()  # first, so that no link is made for a mail that cannot go
            self._send(db, mail)
        except NoLongerWantedError as error:
            return End("dropped", note_dropped, str(error))
        except MailServerError as error:
            log.warning("mail_server_refuses", error=str(error))
            return End("put_off", partial(put_off, pause=_SERVER_PAUSE), str(error), server_refuses=True)
        except MailPutOffError as error:
            return End("put_off", put_off, str(error))
        except MailRefusedError as error:
            return End("failed", note_failed, str(error))
        except Exception as error:  # a fault of one kind of mail must not keep the others
            if is_databases_fault(error):
                raise
            log.exception("mail_not_written", mail=mail.id, kind=mail.kind)
            return End("failed", note_failed, _UNWRITTEN)
        return End("sent", note_sent)

    def _send(self, db: Session, mail: QueuedMail) -> None:
        kind = KINDS.get(mail.kind)
        if kind is None:
            raise MailPutOffError(english("This version does not know mail of the kind %(kind)s.", kind=mail.kind))
        wanted, institution = mail.language, self._settings.institution
        language = wanted if wanted in offered(self._app) else institution.language
        with writing(self._app, language):
            letter = transact(db, lambda db: kind.render(db, mail))
            envelope = envelope_of(
                mail, letter, self._settings.mail, institution=institution.name, host=self._host, language=language
            )
        self._server.send(envelope)
