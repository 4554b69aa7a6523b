"""The database: can it be reached, is its schema current, does its clock agree, who is in it."""

from datetime import UTC, datetime

import sqlalchemy as sa

from attendance.database.access.roles import administers
from attendance.database.audit.protection import is_protected
from attendance.database.engine import DatabaseError, current_revision, newest_revision, shown
from attendance.database.health import DatabaseHealth
from attendance.database.models import Account, Student
from attendance.database.opening import open_engine
from attendance.settings import Settings
from attendance.tables.fields import index_number_rule
from operations.doctor.findings import Finding, ok, problem, warning

_SHOWN = 3
"""Index numbers."""
_CLOCK_WARNING_S, _CLOCK_PROBLEM_S = 2.0, 30.0
"""Sessions begin and end by the clocks of cameras, service and database; grace periods are minutes."""


def examine_answer(settings: Settings) -> list[Finding]:
    """A problem where the database takes connections and says nothing; others would wait for it for a minute each."""
    health = DatabaseHealth(settings.database_url)
    if health.answers() or not health.waited:
        return []
    text = "it takes connections and does not answer within two seconds: it is frozen, locked or overloaded"
    remedy = "Look at its server (`systemctl status mariadb`, free disk and memory) or at who holds its file."
    return [problem("database", f"{text}; what depends on it was not examined", remedy)]


def examine_database(settings: Settings) -> list[Finding]:
    """Reach the configured database and look at its schema and administrators."""
    try:
        with open_engine(settings.database_url) as engine:
            revision = current_revision(engine)
            if revision != newest_revision():
                return [_schema(shown(engine), revision)]
            return [
                ok("database", f"{shown(engine)}, schema {revision}"),
                _administrators(engine),
                *_index_numbers(engine, settings.institution.index_pattern),
                *_clock(engine),
                _audit_log(engine),
            ]
    except DatabaseError as error:
        remedy = "Start the database, or correct ATTENDANCE_DATABASE_URL (see `attendance config`)."
        return [problem("database", str(error), remedy)]


def _schema(where: str, revision: str | None) -> Finding:
    newest = newest_revision()
    if revision is None:
        return problem("database", f"{where} has no tables yet", "Run `attendance db upgrade`.")
    if revision > newest:
        text = f"the schema of {where} is {revision}, newer than this version's {newest}"
        return problem("database", text, "Install the version that made it.")
    remedy = "Make a backup (`attendance db backup`), then run `attendance db upgrade`."
    return problem("database", f"the schema of {where} is {revision}, this version needs {newest}", remedy)


def _administrators(engine: sa.Engine) -> Finding:
    with engine.connect() as connection:
        count = connection.execute(
            sa.select(sa.func.count()).select_from(Account).where(administers(), Account.active)
        ).scalar_one()
    if count == 0:
        return warning(
            "administrators",
            "nobody can administer",
            "Run `attendance lecturer add --admin --email EMAIL --name NAME`.",
        )
    return ok("administrators", f"{count} may sign in")


def _index_numbers(engine: sa.Engine, pattern: str) -> list[Finding]:
    """Whether those that are there look as the setting says; it is asked of new ones only."""
    if not pattern:
        return []
    rule = index_number_rule(pattern)
    with engine.connect() as connection:
        unlike = [number for number in connection.scalars(sa.select(Student.index_number)) if rule.problem(number)]
    if not unlike:
        return [ok("index numbers", f"all look like {pattern}")]
    more = f" and {len(unlike) - _SHOWN} more" if len(unlike) > _SHOWN else ""
    text = f"{', '.join(unlike[:_SHOWN])}{more} do not look as ATTENDANCE_INSTITUTION_INDEX_PATTERN says ({pattern})"
    return [warning("index numbers", text, "Correct the setting, or the index numbers on the students' pages.")]


def _clock(engine: sa.Engine) -> list[Finding]:
    if engine.dialect.name == "sqlite":
        return []
    with engine.connect() as connection:
        theirs: datetime = connection.execute(sa.text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
    apart = abs((datetime.now(UTC) - theirs.replace(tzinfo=UTC)).total_seconds())
    if apart > _CLOCK_WARNING_S:
        made = problem if apart > _CLOCK_PROBLEM_S else warning
        text = f"the database server's differs from this machine's by {apart:.0f} s"
        return [made("clock", text, "Let both machines take their time from the network (NTP).")]
    return [ok("clock", "agrees with the database server's")]


def _audit_log(engine: sa.Engine) -> Finding:
    if is_protected(engine):
        return ok("audit log", "the database refuses to change it")
    remedy = "Run `attendance db upgrade`."
    if engine.dialect.name != "sqlite":
        remedy += (
            " Where this changes nothing, the account lacks the right TRIGGER; or the server writes a binary log, and"
            " its administrator runs SET GLOBAL log_bin_trust_function_creators = 1 first."
        )
    return warning("audit log", "nothing in the database keeps it from being changed", remedy)
