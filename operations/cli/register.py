"""`attendance register`: looking after registers from the command line."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click

from attendance.database.engine import require_current_schema, session_factory
from attendance.database.entered_late import EnteredLate, entered_late, take_back_absences
from attendance.database.opening import open_engine
from attendance.settings import load_settings
from operations.cli.noting import note_run


@click.group()
def register() -> None:
    """Look after registers."""


@register.command("entered-late")
@click.option("--take-back", is_flag=True, help="Take these absences back; nothing is recorded then.")
@click.option("--session", "only", type=int, multiple=True, help="Only this session, by its number; may be repeated.")
def entered_late_command(*, take_back: bool, only: tuple[int, ...]) -> None:
    """List absences that were written in sessions entered after their end.

    Nobody looked for the students of such a session while it was held. Of sessions that an older version entered it is
    not known when; listed are those closed long after their end. Where students were seen, look twice: the session was
    known while it was held, and no program ran at its end.
    """
    settings = load_settings()
    zone = ZoneInfo(settings.institution.timezone)
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        with session_factory(engine, settings.attendance)() as db:
            found = [late for late in entered_late(db) if not only or late.session_id in only]
            unknown = sorted(set(only) - {late.session_id for late in found})
            if unknown:
                raise click.ClickException(f"No such session has absences that were entered late: {_listed(unknown)}.")
            for late in found:
                click.echo(_line(late, zone))
            absences = sum(late.absent for late in found)
            if not take_back:
                click.echo(f"{absences:,} absences in {len(found):,} sessions. With --take-back they are taken back.")
                return
            done = take_back_absences(db, [late.session_id for late in found], datetime.now(UTC))
        note_run(engine, {"sessions": len(found), "entries": done})
    click.echo(f"Taken back: {done:,} absences in {len(found):,} sessions. Their histories say so.")


def _line(late: EnteredLate, zone: ZoneInfo) -> str:
    starts, ends = late.starts_at.astimezone(zone), late.ends_at.astimezone(zone)
    if late.entered_at is None:
        when = f"closed {late.closed_at.astimezone(zone):%Y-%m-%d %H:%M}"
    else:
        when = f"entered {late.entered_at.astimezone(zone):%Y-%m-%d %H:%M}"
    return (
        f"session {late.session_id}: {late.course}, {starts:%Y-%m-%d %H:%M}-{ends:%H:%M}, {when},"
        f" {late.absent} absent, {late.seen} seen"
    )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
