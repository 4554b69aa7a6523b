"""What the doctor says of what goes out and what is fetched: each thing that is wrong, with what to do."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    LtiCourse,
    LtiPlatform,
    QueuedMail,
    QueueState,
    StandingCheck,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
    utc_now,
)
from attendance.settings import Settings
from operations.doctor.findings import Verdict
from operations.doctor.outgoing import examine_outgoing
from tests.attendance.database.full_database import fill
from tests.webapp.visiting import WITH_MAIL, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

HOUR = timedelta(hours=1)
WITH_PROVIDER = {
    "oidc": {"issuer": "https://login.example.edu", "client_id": "c"},
    "web": {"address": "https://attendance.example.edu"},
}


class Examined(NamedTuple):
    now: datetime
    settings: Settings
    examine: Callable

    def __call__(self, *changes, **more):
        return self.examine(*changes, **more)


@pytest.fixture
def examined(tmp_path, migrated_file):
    """Examines a database in which one thing of each kind is there and all is well, but for what is put into it."""
    settings = make_settings(tmp_path / "data", migrated_file)
    sessions = sessions_of(create_app(settings))
    now = utc_now()
    with sessions() as db:
        fill(db)
        db.execute(sa.update(QueuedMail).values(not_before=now + HOUR))
        db.execute(sa.update(WebhookDelivery).values(state=QueueState.SENT))
        db.execute(sa.update(WebhookEndpoint).values(off_at=None, off_reason=None))
        db.execute(sa.update(TimetableCalendar).values(next_fetch_at=now + HOUR, problem=None))
        db.execute(sa.update(LtiPlatform).values(active=True, waiting=False))
        db.execute(sa.update(LtiCourse).values(sends_rates=True, leased_until=now + HOUR, problem=None))
        db.execute(sa.delete(StandingCheck))
        db.add(StandingCheck(name="work", checked_at=now))
        db.commit()

    def examine(*changes, settings=settings, **more):
        with sessions.begin() as db:
            for table, values in changes:
                db.execute(sa.update(table).values(values))
            db.add_all(StandingCheck(name=name, checked_at=now, **values) for name, values in more.items())
        return [(each.subject, each.verdict, each.text, each.remedy) for each in examine_outgoing(settings)]

    yield Examined(now, settings, examine)
    sessions.kw["bind"].dispose()


def test_all_is_well(examined):
    assert examined() == [("worker", Verdict.OK, "nothing waits, and what goes out is taken", "")]


def test_no_worker_while_something_is_due(examined):
    now = examined.now
    late = (WebhookDelivery, {"state": QueueState.WAITING, "not_before": now - 2 * HOUR})
    ((subject, verdict, text, remedy),) = examined(late, (StandingCheck, {"checked_at": now - 3 * HOUR}))
    assert (subject, verdict) == ("worker", Verdict.PROBLEM)
    assert text == (
        "`attendance web work` was last seen 3 hours ago, and 1 deliveries of webhooks are due, the oldest for 2 hours"
    )
    assert "attendance-post" in remedy
    ((_, verdict, text, _),) = examined((StandingCheck, {"checked_at": now}))
    assert (verdict, text) == (
        Verdict.WARNING,
        "it runs, and 1 deliveries of webhooks are due, the oldest for 2 hours",
    )
    ((_, verdict, text, _),) = examined((StandingCheck, {"name": "x"}))
    assert (verdict, text.startswith("`attendance web work` was never seen, and 1 deliver")) == (Verdict.PROBLEM, True)


def test_a_worker_that_is_not_there_is_a_warning_where_it_was(examined):
    ((subject, verdict, text, _),) = examined((StandingCheck, {"checked_at": examined.now - 50 * HOUR}))
    assert (subject, verdict, text) == ("worker", Verdict.WARNING, "`attendance web work` was last seen 2 days ago")


def test_where_there_never_was_one_and_nothing_is_to_do_none_is_missed(examined):
    # Mail is off, so that nobody sends what waits of it.
    ((_, verdict, _, _),) = examined(
        (StandingCheck, {"name": "x"}), (QueuedMail, {"not_before": examined.now - 9 * HOUR})
    )
    assert verdict is Verdict.OK


def test_mail_counts_where_it_is_on(examined):
    settings = Settings.model_validate(examined.settings.model_dump(exclude_unset=True) | WITH_MAIL)
    late = (QueuedMail, {"not_before": examined.now - HOUR})
    ((_, verdict, text, _),) = examined(late, (StandingCheck, {"name": "x"}), settings=settings)
    assert (verdict, "1 mails are due, the oldest for 60 minutes" in text) == (Verdict.PROBLEM, True)


def test_receivers_that_fail_and_that_are_off(examined):
    now = examined.now
    failing = examined((WebhookEndpoint, {"failing_since": now - 3 * HOUR}), (WebhookDelivery, {"state": "failed"}))
    assert [(subject, verdict, text) for subject, verdict, text, _ in failing] == [
        ("webhook Ü", Verdict.WARNING, "has taken nothing for 3 hours; after five days it is switched off"),
        ("webhooks", Verdict.WARNING, "1 deliveries were given up"),
    ]
    assert examined((WebhookEndpoint, {"failing_since": now}), (WebhookDelivery, {"state": "sent"}))[0][1] is Verdict.OK
    off = {"off_at": now, "off_reason": "It took nothing for 5 days."}
    ((subject, verdict, text, remedy),) = examined((WebhookEndpoint, off))
    assert (subject, verdict) == ("webhook Ü", Verdict.PROBLEM)
    assert text == f"is switched off since {now:%Y-%m-%d %H:%M} UTC and told nothing. It took nothing for 5 days."
    assert "switch it on" in remedy


def test_calendars_that_cannot_be_read_and_that_ask(examined):
    now = examined.now
    away = {"failing_since": now - 30 * HOUR, "problem": "The address answered 404.", "waiting_since": now - 72 * HOUR}
    unread, asks = examined((TimetableCalendar, away))
    assert unread[:3] == (
        "calendar Ü", Verdict.WARNING, "could not be read for 30 hours. The address answered 404.",
    )  # fmt: skip
    assert asks[2] == "has changes that wait for a person's word for 3 days; the timetable here is the old one"


def test_rates_that_are_refused(examined):
    ((subject, verdict, text, _),) = examined((LtiCourse, {"problem": "3 rates were not taken."}))
    assert (subject, verdict) == ("learning platform", Verdict.WARNING)
    assert text == "Moodle ü did not take the rates of ü. 3 rates were not taken."


def test_keys_that_cannot_be_opened_and_a_provider_in_trouble(examined):
    now = examined.now
    settings = Settings.model_validate(examined.settings.model_dump(exclude_unset=True) | WITH_PROVIDER)
    failing = {"failing_since": now, "problem": "It is away."}
    seals, away, changed = examined(settings=settings, seals=failing, provider=failing | {"changed_at": now})
    assert (seals[0], seals[1]) == ("sealed keys", Verdict.PROBLEM)
    assert "ATTENDANCE_WEB_SECRET_KEY" in seals[3]
    assert away[:3] == (
        "sign-in",
        Verdict.PROBLEM,
        f"the worker gets no answer that can be used (since {now:%Y-%m-%d %H:%M} UTC): It is away.",
    )
    assert changed[:3] == (
        "sign-in", Verdict.WARNING, f"the provider's discovery changed on {now:%Y-%m-%d %H:%M} UTC",
    )  # fmt: skip
    assert "audit log" in changed[3]
