"""Several files as one import: in the order in which they need each other, each seeing what those before it add."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from attendance.database.audit.noting import note
from attendance.database.consent import BY_COMMAND, Recorder, actor_of
from attendance.database.models import AuditAction
from attendance.database.transactions import transact
from attendance.tables.columns import LEFT_OUT
from attendance.tables.errors import TableError
from attendance.tables.fields import TextRule
from attendance.tables.reading import MAX_BYTES, Column, Table, read_table
from attendance.texts import english
from webapp.imports.kinds import ALL_KINDS, KINDS, Kind
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.report import Outcome, Report
from webapp.imports.run import run_import


@dataclass(frozen=True)
class ImportFile:
    """A file of one import.

    Attributes:
        kind: what it holds.
        name: for messages.
        data: the bytes.
        course_code: of the only course meant, or None.
    """

    kind: Kind
    name: str
    data: bytes
    course_code: str | None = None


@dataclass(frozen=True)
class Importing:
    """An import of one file or several.

    Attributes:
        zone: the institution's.
        rule: what may be an index number here.
        create: what may be made where lines name it and it is not there.
        recorder: who records the consents that files say were given.
    """

    zone: ZoneInfo
    rule: TextRule
    create: frozenset[RecordKind] = frozenset()
    recorder: Recorder = BY_COMMAND

    def run(
        self,
        db: Session,
        files: Sequence[ImportFile],
        *,
        apply: bool,
        on_outcome: Callable[[int, Outcome], None] = lambda _place, _outcome: None,
    ) -> list[Report]:
        """Try or import files, in their order; `in_order` gives the one that makes sense.

        Args:
            db: a session with nothing pending; committed after each batch.
            files: all that belong together.
            apply: False tries: the same reports, nothing written.
            on_outcome: called with the place of the file and what became of each of its lines.

        Raises:
            TableError: a file cannot be read; then nothing is written. Or one is too long, and what stood before is
                imported.
        """
        plan = ImportPlan(self.create, self.recorder)
        importers = [file.kind.importer(self.zone, file.course_code, rule=self.rule, plan=plan) for file in files]
        tables = [_table(file, importer.columns, len(files)) for file, importer in zip(files, importers, strict=True)]
        reports = []
        for place, (table, importer) in enumerate(zip(tables, importers, strict=True)):

            def tell(outcome: Outcome, place: int = place) -> None:
                on_outcome(place, outcome)

            with self._noted(db, files[place], apply=apply) as done:
                reports.append(run_import(db, table, importer, apply=apply, on_outcome=tell))
                done |= {"lines": reports[-1].lines, **reports[-1].counts}
        return reports

    @contextmanager
    def _noted(self, db: Session, file: ImportFile, *, apply: bool) -> Iterator[dict[str, str | int]]:
        """Note in the audit log what became of a file, which the block says; also of one that ended in its middle."""
        details: dict[str, str | int] = {}
        try:
            yield details
        finally:
            if apply:
                # Not the file's name, which a person gave it and which may be a student's.
                actor, kind = actor_of(self.recorder), file.kind.slug
                transact(db, lambda db: note(db, AuditAction.IMPORTED, actor=actor, subject=kind, details=details))


def in_order(files: Sequence[ImportFile]) -> list[ImportFile]:
    """The files so that each comes after those that it needs: rooms and courses first, the timetable last."""
    places = list(ALL_KINDS)
    return sorted(files, key=lambda file: places.index(file.kind.slug))


def kind_of(data: bytes) -> Kind:
    """What a file holds, by the names of its columns: the kind of which it has most.

    Raises:
        TableError: it cannot be read, or fits no kind.
    """
    fitting: list[tuple[int, int, Kind]] = []
    refusals: list[TableError] = []
    for kind in KINDS.values():
        columns = kind.importer(ZoneInfo("UTC")).columns
        try:
            table = read_table(data, columns)
        except TableError as error:
            refusals.append(error)
            continue
        required = sum(column.required for column in columns)
        fitting.append((required, len(table.present), kind))
    if fitting:
        return max(fitting, key=lambda one: one[:2])[2]
    if all("lacks the column" in str(error) for error in refusals):
        wanted = "; ".join(f"{kind.title}: {_required(kind)}" for kind in KINDS.values())
        raise TableError(
            english("The columns are those of no kind of file. Needed are, for %(wanted)s.", wanted=wanted)
        )
    raise refusals[0]


def read_whole(path: Path) -> bytes:
    """A file of this machine, as far as a table may be long.

    Raises:
        TableError: it is missing, a folder, or cannot be read; the message names it.
    """
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TableError(english("cannot read %(path)s: %(strerror)s", path=path, strerror=error.strerror)) from None


def _required(kind: Kind) -> str:
    columns = kind.importer(ZoneInfo("UTC")).columns
    return ", ".join(column.name for column in columns if column.required)


def _table(file: ImportFile, columns: Sequence[Column], number: int) -> Table:
    try:
        return read_table(file.data, (*columns, LEFT_OUT))
    except TableError as error:
        if number == 1:
            raise
        raise TableError(english("%(file)s: %(problem)s", file=file.name, problem=error.args[0])) from None
