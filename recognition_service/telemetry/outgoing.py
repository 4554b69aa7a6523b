"""Gauges of what the database says of the rest of the installation: what goes out, and when certificates end.

The worker and the dashboard serve no metrics, and one that does not run could not tell. Each service says the same.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import structlog
from cryptography import x509
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError
from attendance.database.outgoing.state import OutgoingState, outgoing_state
from attendance.database.upkeep.checks import CERTIFICATE, ENDS, PROVIDER, SEALS, WORK

_PATIENCE_S = 0.5
"""What a scrape waits for the database: other gauges are told also while it is frozen."""

log = structlog.get_logger()


class _Reading:
    """One look at the database, in a thread of its own, which may take as long as the database does."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.state: OutgoingState | None = None
        self.told = False
        """Whether a scrape had it, or its end: one that comes late is told at the next."""
        self._sessions = sessions
        self._thread = threading.Thread(target=self._read, name="outgoing", daemon=True)
        self._thread.start()

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def wait(self) -> OutgoingState | None:
        """What was read; None: nothing, or not yet."""
        self._thread.join(_PATIENCE_S)
        self.told = self.over
        return self.state if self.told else None

    def _read(self) -> None:
        try:
            with self._sessions() as db:
                self.state = outgoing_state(db, datetime.now(UTC))
        except (sa.exc.SQLAlchemyError, DatabaseError) as error:
            log.warning("outgoing_not_read", reason=str(getattr(error, "orig", error)))


class OutgoingCollector(Collector):
    """Read when they are asked for."""

    def __init__(self, sessions: sessionmaker[Session], certificate: Path | None) -> None:
        """Get ready; nothing is read yet.

        Args:
            sessions: of the database.
            certificate: the service's own, PEM; None: it speaks plain text.
        """
        self._sessions, self._certificate = sessions, certificate
        self._reading: _Reading | None = None
        self._lock = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing: registering must read nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All gauges; those of a database that is away, or does not answer soon, are left out."""
        ends = GaugeMetricFamily(
            "attendance_certificate_expiry_timestamp_seconds",
            "When a certificate ends, Unix time: the service's, and the one that the dashboard shows to the worker.",
            labels=["certificate"],
        )
        own = None if self._certificate is None else certificate_end(self._certificate)
        if own is not None:
            ends.add_metric(["service"], own.timestamp())
        with self._lock:
            # One that the database keeps waiting is enough.
            reading = self._reading = (
                _Reading(self._sessions) if self._reading is None or self._reading.told else self._reading
            )
        state = reading.wait()
        if state is None:
            yield ends
            return
        check = state.checks.get(CERTIFICATE)
        if check is not None and check.found is not None:
            ends.add_metric(["dashboard"], datetime.fromisoformat(str(check.found[ENDS])).timestamp())
        yield ends
        yield from _gauges(state)


def certificate_end(path: Path) -> datetime | None:
    """When the first certificate of a PEM chain ends; None where the file cannot be used, as the service's log says."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return None


def _gauges(state: OutgoingState) -> Iterator[Metric]:
    due = _by("work_due", "What is due and no worker has taken: mail, webhooks, calendars, rates.", "work")
    age = _by("work_oldest_due_seconds", "For how long the oldest of it has been due.", "work")
    for kind, each in state.due.items():
        due.add_metric([kind], each.number)
        age.add_metric([kind], each.age.total_seconds())
    heartbeat = state.checks.get(WORK)
    seen = 0.0 if heartbeat is None else heartbeat.checked_at.timestamp()
    text = "When `attendance web work` was last seen to run, Unix time; 0: never."
    yield from (due, age, GaugeMetricFamily("attendance_work_seen_timestamp_seconds", text, value=seen))
    receivers = _by("webhook_receivers", "Receivers that fail, and those switched off because they failed.", "state")
    receivers.add_metric(["failing"], len(state.failing_receivers))
    receivers.add_metric(["off"], len(state.off_receivers))
    calendars = _by("calendars", "Calendars that could not be read, and those that wait for a person's word.", "state")
    calendars.add_metric(["failing"], len(state.failing_calendars))
    calendars.add_metric(["asks"], len(state.waiting_calendars))
    failed = _by("sendings_failed", "Mails and deliveries of webhooks that were given up and are kept.", "work")
    failed.add_metric(["mail"], state.mails_failed)
    failed.add_metric(["webhooks"], state.deliveries_failed)
    courses = len(state.refused_courses)
    text = "Courses of learning platforms that did not take the rates the last time."
    yield from (receivers, calendars, failed, GaugeMetricFamily("attendance_lti_courses_refused", text, value=courses))
    failing = _by("check_failing", "1 when what the worker looks after is not well.", "check")
    for name in (PROVIDER, SEALS, CERTIFICATE):
        check = state.checks.get(name)
        failing.add_metric([name], check is not None and check.failing_since is not None)
    text = "When the sign-in provider's discovery was last seen to change, Unix time; 0: never."
    provider = state.checks.get(PROVIDER)
    changed = provider.changed_at if provider is not None else None
    yield failing
    yield GaugeMetricFamily(
        "attendance_provider_changed_timestamp_seconds", text, value=changed.timestamp() if changed else 0.0
    )


def _by(name: str, meaning: str, label: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"attendance_{name}", meaning, labels=[label])
