"""`attendance doctor` and `attendance purge`."""

import sys
from datetime import UTC, datetime, timedelta

import click

from attendance.database.engine import DatabaseError, require_current_schema, session_factory
from attendance.database.opening import open_engine
from attendance.database.upkeep.retention import Retention
from attendance.database.upkeep.retention import purge as delete_old
from attendance.settings import SettingsError, load_settings
from attendance.settings.files import where_from
from operations.cli.noting import note_run
from operations.doctor.examination import examine
from operations.doctor.findings import Finding, Verdict, ok
from operations.erasure import finish, overwrite

_PATIENCE_S = 5.0
_MARKS = {Verdict.OK: ("ok", "green"), Verdict.WARNING: ("WARNING", "yellow"), Verdict.PROBLEM: ("PROBLEM", "red")}


@click.command()
def doctor() -> None:
    """Examine the installation and say what to do.

    Looks at settings, database, model, index, store, certificates, disk, clock, outbox, cameras, backups and mail, and
    makes nothing. Run it as the account that the service runs as. The exit status is 1 if there is a problem; warnings
    leave it 0.
    """
    try:
        settings = load_settings()
    except SettingsError as error:
        tell(Finding("settings", Verdict.PROBLEM, str(error), "Correct them; `attendance config` lists all."))
        sys.exit(1)
    found = [ok("settings", f"every value is right; {where_from()}; data in {settings.data.directory.absolute()}")]
    tell(found[0])
    for finding in examine(settings):
        tell(finding)
        found.append(finding)
    problems = sum(finding.verdict is Verdict.PROBLEM for finding in found)
    warnings = sum(finding.verdict is Verdict.WARNING for finding in found)
    click.echo(f"{problems or 'No'} {'problem' if problems == 1 else 'problems'}, {warnings or 'no'} warnings.")
    sys.exit(1 if problems else 0)


def tell(finding: Finding) -> None:
    """Print what an examination found, with what to do on a line of its own."""
    word, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(f'{word:<8}', fg=colour)} {finding.subject}: {finding.text}")
    if finding.remedy:
        click.echo(f"{'':<8} -> {finding.remedy}")


@click.command()
def purge() -> None:
    """Delete what has been kept for longer than the retention settings say; run it daily.

    Files that administrators tried or imported, sign-ins that ended and attempts to sign in go after a day. Erasures
    that everybody has carried out are finished; then MariaDB and MySQL write the tables anew in which the students
    were.
    """
    settings = load_settings()
    kept, now = settings.retention, datetime.now(UTC)

    def before(days: int) -> datetime | None:
        return now - timedelta(days=days) if days else None

    retention = Retention(
        evidence=before(kept.evidence_days),
        jobs=before(kept.job_days),
        sessions=before(kept.attendance_days),
        proposals=before(settings.students.photo_days),
        passing=before(1),
        mail=before(kept.mail_days),
        audit=before(kept.audit_days),
    )
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        deleted = delete_old(session_factory(engine), retention)
        for kind, rows in deleted.items():
            click.echo(f"Deleted {rows:,} {kind}")
        if sum(deleted.values()):
            note_run(engine, {kind: rows for kind, rows in deleted.items() if rows})
        try:
            finish(session_factory(engine))
            overwrite(engine, patience_s=_PATIENCE_S)
        except DatabaseError as error:
            click.echo(f"For now {error}. The next purge looks again", err=True)
