"""`attendance import`: CSV files into the database, as the dashboard imports them."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlalchemy.orm import Session

from attendance.database.engine import require_current_schema, session_factory
from attendance.database.opening import open_engine
from attendance.database.transactions import transact
from attendance.gallery.files import replace_durably
from attendance.reports.names import printable
from attendance.settings import load_settings
from attendance.tables.errors import TableError
from attendance.tables.fields import index_number_rule
from attendance.tables.writing import csv_lines
from operations.cli.links import require_target, write_links
from webapp.imports.kinds import ALL_KINDS
from webapp.imports.plan import CREATABLE, RecordKind
from webapp.imports.report import REPORT_HEADER, Outcome, Report, Result, report_row
from webapp.imports.together import ImportFile, Importing, in_order, read_whole

_SHOWN = 20
_FILE = click.Path(path_type=Path, dir_okay=False)


@dataclass(frozen=True)
class _Tried:
    files: Sequence[ImportFile]
    reports: Sequence[Report]
    outcomes: Sequence[tuple[str, Outcome]]

    @property
    def refused(self) -> int:
        return sum(report.counts[Result.REFUSED] for report in self.reports)

    @property
    def asked(self) -> int:
        return sum(report.asked for report in self.reports)


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="KIND FILE [KIND FILE]...")
@click.option("--apply", is_flag=True, help="Import the good lines. Without it, nothing is written.")
@click.option(
    "--create",
    multiple=True,
    type=click.Choice(sorted(record.value for record in CREATABLE)),
    help="Make courses, departments or rooms that lines name and that are not there. May be repeated.",
)
@click.option("--checked", is_flag=True, help="Somebody has looked at the lines that are asked about: they are right.")
@click.option("--report", type=_FILE, help="Write what became of each line, a CSV file that only you can read.")
@click.option("--links", type=_FILE, help="Write links to set a password, as `attendance lecturer links` does.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def import_files(
    files: tuple[str, ...],
    create: tuple[str, ...],
    report: Path | None,
    links: Path | None,
    *,
    apply: bool,
    checked: bool,
    as_json: bool,
) -> None:
    """Import CSV files: rooms, courses, students, lecturers, enrolments, groups and the timetable.

    KIND says what FILE holds. Several files are one import: each finds what the others add, whatever their order. The
    dashboard's import pages list the columns of each kind, and what a line does. Without --apply nothing is written.

    The exit status is 1 if a line is refused, or if lines are asked about and --checked is not given with --apply: then
    nothing is written either. Otherwise the good lines are imported.
    """
    settings = load_settings()
    named = _named(files)
    if links is not None:
        require_target(settings, links)
    importing = Importing(
        ZoneInfo(settings.institution.timezone),
        index_number_rule(settings.institution.index_pattern),
        frozenset(RecordKind(word) for word in create),
    )
    with open_engine(settings.database_url) as engine:
        require_current_schema(engine)
        with session_factory(engine)() as db:
            done = _run(importing, db, named, apply=False)
            unanswered = bool(done.asked) and apply and not checked
            if apply and not unanswered:
                done = _run(importing, db, named, apply=True)
            if links is not None and apply and not unanswered:
                transact(db, lambda db: write_links(settings, db, links))
    applied = apply and not unanswered
    if report is not None:
        rows = ((name, *report_row(outcome)) for name, outcome in done.outcomes)
        replace_durably(report.absolute(), "".join(csv_lines(("file", *REPORT_HEADER), rows)).encode())
    _print_json(done, applied=applied) if as_json else _print(done, applied=applied, unanswered=unanswered)
    sys.exit(1 if done.refused or unanswered else 0)


def _named(words: Sequence[str]) -> list[ImportFile]:
    """The files of the command line, in the order in which they are imported."""
    if len(words) % 2:
        raise click.UsageError("name a KIND and a FILE, or several such pairs")
    named = []
    for kind, name in zip(words[::2], words[1::2], strict=True):
        if kind not in ALL_KINDS:
            raise click.UsageError(f"{printable(kind)} is no kind of file; there are {', '.join(ALL_KINDS)}")
        named.append(ImportFile(ALL_KINDS[kind], name, read_whole(Path(name))))
    return in_order(named)


def _run(importing: Importing, db: Session, files: Sequence[ImportFile], *, apply: bool) -> _Tried:
    outcomes: list[tuple[str, Outcome]] = []

    def note(place: int, outcome: Outcome) -> None:
        if outcome.message or outcome.question:
            outcomes.append((files[place].name, outcome))

    try:
        return _Tried(files, importing.run(db, files, apply=apply, on_outcome=note), outcomes)
    except TableError as error:
        name = f"{files[0].name}: " if len(files) == 1 else ""
        raise TableError(f"{name}{error}") from None


def _print_json(done: _Tried, *, applied: bool) -> None:
    reports = [
        {"kind": file.kind.slug, "file": file.name, **report.to_json()}
        for file, report in zip(done.files, done.reports, strict=True)
    ]
    click.echo(json.dumps({"applied": applied, "files": reports}, ensure_ascii=False, indent=2))


def _print(done: _Tried, *, applied: bool, unanswered: bool) -> None:
    for file, report in zip(done.files, done.reports, strict=True):
        _print_file(file, report, applied=applied)
    if applied:
        click.echo("Imported.")
        return
    good = sum(report.good for report in done.reports)
    if unanswered:
        click.echo(
            "Nothing is written. Look at the lines under \u201cplease check\u201d; if they are right, add --checked."
        )
    elif good:
        verb = "is" if good == 1 else "are"
        click.echo(
            f"This was a trial: nothing is written. With --apply the {_lines(good)} that {verb} good {verb} imported."
        )
    else:
        click.echo("Nothing to import.")


def _print_file(file: ImportFile, report: Report, *, applied: bool) -> None:
    counts = report.counts
    will = "" if applied else "to be "
    click.echo(
        f"{file.kind.title}, {printable(file.name)}: {_lines(report.lines)}; {counts['added']:,} {will}added, "
        f"{counts['updated']:,} {will}updated, {counts['unchanged']:,} there already, {counts['refused']:,} refused"
    )
    for note in report.notes:
        click.echo(f"  note     {printable(note)}")
    for record, names in report.created.items():
        click.echo(f"  create   {len(names):,} {record}: {_some(names)}")
    for fault in report.faults:
        what = f"line {fault.numbers()}" if fault.lines == 1 else f"{fault.lines:,} lines ({fault.numbers(5)})"
        click.echo(f"  refused  {what}: {printable(fault.message)}")
    if report.unexplained:
        click.echo(f"  refused  {_lines(report.unexplained)} for further reasons; --report FILE writes all")
    for word, outcomes, total in (("please check", report.questions, report.asked), ("change", report.changes, 0)):
        for outcome in outcomes[:_SHOWN]:
            click.echo(f"  {word}  line {outcome.line}: {printable(outcome.question or outcome.message)}")
        rest = max(total, len(outcomes)) - _SHOWN
        if rest > 0:
            click.echo(f"  {word}  {rest:,} or more further lines; --report FILE writes all")
    for record, missing in report.missing.items():
        click.echo(f"  missing  {len(missing):,} {record}: {_some(list(missing))}; --create {record} makes them")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else shown


def _lines(number: int) -> str:
    return "1 line" if number == 1 else f"{number:,} lines"
