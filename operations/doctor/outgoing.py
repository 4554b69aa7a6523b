"""What goes out and what is fetched: webhooks, calendars, learning platforms, and whether the worker does it."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from attendance.database.engine import DatabaseError
from attendance.database.models import LtiCourse, StandingCheck, TimetableCalendar, WebhookEndpoint
from attendance.database.opening import open_session
from attendance.database.outgoing.state import (
    CALENDARS,
    MAIL,
    RATES,
    WEBHOOKS,
    Due,
    OutgoingState,
    outgoing_state,
)
from attendance.database.upkeep.checks import CHECKED_EVERY, PROVIDER, SEALS, WORK
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning

LATE = timedelta(minutes=15)
"""A worker looks at every queue at least once a minute; what is due for so long nobody does."""
_FAILS_FOR_LONG = timedelta(hours=1)
_RECENTLY = timedelta(days=14)
_START = "Start it: `sudo systemctl start attendance-post` (`attendance web work`). Its log says why it ended."
_WORDS = {MAIL: "mails", WEBHOOKS: "deliveries of webhooks", CALENDARS: "calendars", RATES: "courses' rates"}


def examine_outgoing(settings: Settings) -> list[Finding]:
    """Look at every queue, and at what the worker found when it last looked around."""
    now = datetime.now(UTC)
    try:
        with open_session(settings.database_url) as db:
            state = outgoing_state(db, now)
            found = [
                *_work(state, settings, now),
                *_webhooks(state, now),
                *_calendars(state, now),
                *(_course(course) for course in state.refused_courses),
                *_seals(state.checks.get(SEALS)),
                *_provider(state.checks.get(PROVIDER), settings, now),
            ]
    except (DatabaseError, sa.exc.SQLAlchemyError):
        return []  # told by the database's own examination
    return found or [ok("worker", "nothing waits, and what goes out is taken")]


def _work(state: OutgoingState, settings: Settings, now: datetime) -> list[Finding]:
    """Whether a worker runs, where there is something to do."""
    due = {kind: each for kind, each in state.due.items() if kind != MAIL or settings.mail.on}
    late = {kind: each for kind, each in due.items() if each.number and each.age > LATE}
    heartbeat = state.checks.get(WORK)
    seen = None if heartbeat is None else now - heartbeat.checked_at
    if seen is not None and seen < CHECKED_EVERY + LATE:
        said = [kind for kind in late if kind != MAIL]  # the examination of mail says its own
        return [warning("worker", f"it runs, and {_late(late, said)}", "Its log says why.")] if said else []
    last = "was never seen" if seen is None else f"was last seen {_span(seen)} ago"
    if late:
        return [problem("worker", f"`attendance web work` {last}, and {_late(late, list(late))}", _START)]
    if seen is None and not any(each.number for each in due.values()):
        return []  # an installation that sends nothing needs none
    return [warning("worker", f"`attendance web work` {last}", _START)]


def _late(late: dict[str, Due], kinds: list[str]) -> str:
    oldest = max(late[kind].age for kind in kinds)
    listed = ", ".join(f"{late[kind].number:,} {_WORDS[kind]}" for kind in kinds)
    return f"{listed} are due, the oldest for {_span(oldest)}"


def _webhooks(state: OutgoingState, now: datetime) -> list[Finding]:
    found = [_off(each) for each in state.off_receivers]
    found += [_failing(each, now) for each in state.failing_receivers if _since(each, now) > _FAILS_FOR_LONG]
    if state.deliveries_failed:
        text = f"{state.deliveries_failed:,} deliveries were given up"
        found.append(
            warning("webhooks", text, "The dashboard, Administration > Webhooks, says why, and sends them again.")
        )
    return found


def _off(endpoint: WebhookEndpoint) -> Finding:
    text = f"is switched off since {endpoint.off_at:%Y-%m-%d %H:%M} UTC and told nothing. {endpoint.off_reason}"
    return problem(f"webhook {endpoint.name}", text, "Mend the receiver, then switch it on: Administration > Webhooks.")


def _since(endpoint: WebhookEndpoint, now: datetime) -> timedelta:
    return now - (endpoint.failing_since or now)


def _failing(endpoint: WebhookEndpoint, now: datetime) -> Finding:
    text = f"has taken nothing for {_span(_since(endpoint, now))}; after five days it is switched off"
    return warning(
        f"webhook {endpoint.name}", text, "Administration > Webhooks shows the last answers; ask who runs the receiver."
    )


def _calendars(state: OutgoingState, now: datetime) -> list[Finding]:
    found = [_unread(each, now) for each in state.failing_calendars if _unread_for(each, now) > _FAILS_FOR_LONG]
    for calendar in state.waiting_calendars:
        waited = now - (calendar.waiting_since or now)
        text = f"has changes that wait for a person's word for {_span(waited)}; the timetable here is the old one"
        found.append(warning(f"calendar {calendar.name}", text, "Look at them: Administration > Calendars."))
    return found


def _unread_for(calendar: TimetableCalendar, now: datetime) -> timedelta:
    return now - (calendar.failing_since or now)


def _unread(calendar: TimetableCalendar, now: datetime) -> Finding:
    text = f"could not be read for {_span(_unread_for(calendar, now))}. {calendar.problem or ''}".rstrip()
    remedy = "Open its address in a browser; a new one is typed at Administration > Calendars."
    return warning(f"calendar {calendar.name}", text, remedy)


def _course(course: LtiCourse) -> Finding:
    platform, name = course.deployment.platform.name, course.label or course.title or course.external_id
    text = f"{platform} did not take the rates of {name}. {course.problem}"
    return warning(
        "learning platform", text, "The course's page at Administration > Learning platforms sends them again."
    )


def _seals(check: StandingCheck | None) -> list[Finding]:
    if check is None or check.failing_since is None:
        return []
    remedy = (
        "Give the worker the dashboard's ATTENDANCE_WEB_SECRET_KEY, where it has another; if that was changed, "
        "withdraw the keys and make a new one: Administration > Learning platforms."
    )
    return [problem("sealed keys", f"{check.problem} ({_when(check)})", remedy)]


def _provider(check: StandingCheck | None, settings: Settings, now: datetime) -> list[Finding]:
    if check is None or not settings.oidc.on:
        return []
    found = []
    if check.failing_since is not None:
        remedy = "Passwords of break-glass accounts work meanwhile. Ask who runs the provider, or read docs/sign-in.md."
        found.append(
            problem("sign-in", f"the worker gets no answer that can be used ({_when(check)}): {check.problem}", remedy)
        )
    if check.changed_at is not None and now - check.changed_at < _RECENTLY:
        text = f"the provider's discovery changed on {check.changed_at:%Y-%m-%d %H:%M} UTC"
        remedy = "The audit log says what. Ask who runs the provider whether they know; nothing need be changed here."
        found.append(warning("sign-in", text, remedy))
    return found


def _when(check: StandingCheck) -> str:
    return f"since {check.failing_since:%Y-%m-%d %H:%M} UTC"


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"
