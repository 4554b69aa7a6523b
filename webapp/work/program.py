"""All kinds of work at once, each in a thread of its own, so that a receiver that hangs keeps no mail."""

import threading
import time
from collections import Counter
from functools import partial

import structlog
from flask import Flask

from attendance.database.models import utc_now
from attendance.settings import Settings
from webapp.calendars.fetching import CalendarFetcher
from webapp.lti.services.rates import RatesWork
from webapp.mail.worker import MailWorker
from webapp.tools.storage import sessions_of
from webapp.webhooks.sending import WebhookSender
from webapp.work.checks import StandingChecks
from webapp.work.loop import RepeatedWork, run, run_once
from webapp.work.timed import Clockwork

log = structlog.get_logger()

SENDERS = 3
"""Threads that send webhooks: so many receivers that hang keep nobody else waiting."""
_PATIENCE_S = 50.0
"""For what is being sent when the program is told to end; whatever takes longer is due again when its lease ends."""


class TimedStep:
    """The work at its hour, as a kind of work."""

    pause_s = 60.0
    refusals = 0

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._clockwork = Clockwork(sessions_of(app), settings)

    def step(self, _stopping: threading.Event) -> bool:
        """Look at the clock, and do what is due."""
        with self._app.app_context():
            self._clockwork.look(utc_now())
        return False

    def rest(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class WorkProgram:
    """Mail, webhooks, calendars, and work at its hour."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Get ready; nothing is opened yet."""
        self.mail = MailWorker(app, settings) if settings.mail.on else None
        self.webhooks = WebhookSender(app, settings)
        self._timed = TimedStep(app, settings)
        self._calendars = CalendarFetcher(app, settings)
        self._rates = RatesWork(app)
        self._checks = StandingChecks(app, settings)
        self._failed: list[str] = []

    def run(self, stopping: threading.Event) -> bool:
        """Work until `stopping` is set; whether nothing failed that should not."""
        works: list[tuple[str, RepeatedWork]] = [("timed", self._timed)]
        works.append(("calendars", self._calendars))
        works.append(("rates", self._rates))
        works.append(("checks", self._checks))
        works += [("webhooks", self.webhooks)] * SENDERS
        if self.mail is not None:
            works.append(("mail", self.mail))
        threads = [
            threading.Thread(target=partial(self._guarded, name, work, stopping), name=name, daemon=True)
            for name, work in works
        ]
        for thread in threads:
            thread.start()
        stopping.wait()
        until = time.monotonic() + _PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not self._failed

    def run_once(self, stopping: threading.Event) -> tuple[Counter[str], Counter[str]]:
        """Do what is due now, and end.

        Returns:
            How many mails, and how many webhooks, were "sent", "put_off", "failed" and "dropped".

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away or refuses.
        """
        self._timed.step(stopping)
        run_once(self._checks, stopping)
        run_once(self._calendars, stopping)
        run_once(self._rates, stopping)
        run_once(self.webhooks, stopping)
        if self.mail is None:
            return Counter(), self.webhooks.outcomes
        run_once(self.mail, stopping)
        return self.mail.outcomes, self.webhooks.outcomes

    def _guarded(self, name: str, work: RepeatedWork, stopping: threading.Event) -> None:
        """A kind of work that fails ends the program, so that whoever watches it starts it anew."""
        try:
            run(work, stopping, name=name)
        except Exception:
            log.exception("work_failed", work=name)
            self._failed.append(name)
            stopping.set()
