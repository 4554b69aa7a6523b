"""A dashboard that runs on the term, for pictures of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from attendance.database.access.student_links import make_student_link
from attendance.database.engine import create_database_engine, session_factory, upgrade
from attendance.settings import Settings
from docs.screens.systems import Systems, connect_systems
from docs.screens.term import Term, make_term
from tests.webapp.running import environ_for, running_dashboard

_ZONES = (
    "Pacific/Auckland", "Australia/Brisbane", "Asia/Tokyo", "Asia/Singapore", "Asia/Jakarta", "Asia/Dhaka",
    "Asia/Karachi", "Asia/Dubai", "Africa/Nairobi", "Africa/Johannesburg", "Europe/Warsaw", "Europe/London",
    "Atlantic/Azores",
    "America/Noronha", "America/Sao_Paulo", "America/Halifax", "America/Toronto", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu",
)  # fmt: skip


@contextmanager
def dashboard_of_a_term(folder: Path) -> Iterator[tuple[str, Term, Systems, str]]:
    """Run it on a database in the folder.

    Gives its address, the ids of what is in it, those of other systems, and a link to a student's own page.
    """
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    zone = _where_it_is_morning(now)
    institution = {"name": "Example University", "timezone": zone.key}
    settings = Settings.model_validate({"data": {"directory": folder}, "institution": institution})
    folder.mkdir(parents=True, exist_ok=True)
    engine = create_database_engine(settings.database_url)
    upgrade(engine)
    with session_factory(engine, settings.attendance)() as db:
        term = make_term(db, now=now, zone=zone)
        systems = connect_systems(db, now=now, zone=zone)
        token = _link(db, term)
    environ = environ_for(
        settings,
        ATTENDANCE_STUDENTS_PHOTOS="true",
        ATTENDANCE_WEB_ADDRESS="https://attendance.example.edu",
        ATTENDANCE_MAIL_HOST="localhost",
        ATTENDANCE_MAIL_SENDER="attendance@example.edu",
        ATTENDANCE_OIDC_ISSUER="https://sso.example.edu",  # nobody asks it
        ATTENDANCE_OIDC_CLIENT_ID="attendance",
        ATTENDANCE_OIDC_CLIENT_SECRET="none",  # noqa: S106 - the same
        ATTENDANCE_OIDC_NAME="Example University",
    )
    with running_dashboard(environ, folder / "log") as address:
        yield address, term, systems, f"/me/link?link={token}"
    engine.dispose()


def _link(db: Session, term: Term) -> str:
    token = make_student_link(db, term.student, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    db.commit()
    return token


def _where_it_is_morning(now: datetime) -> ZoneInfo:
    """A zone where it is about half past ten: classes run then, whenever the pictures are made."""
    return min(map(ZoneInfo, _ZONES), key=lambda zone: abs(_hours(now.astimezone(zone)) - 10.5))


def _hours(moment: datetime) -> float:
    return moment.hour + moment.minute / 60
