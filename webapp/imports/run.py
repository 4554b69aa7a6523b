"""An import, batch by batch: each batch is one transaction, so a register being filled meanwhile never waits long."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Generic, TypeVar

from sqlalchemy.orm import Session

from attendance.database.transactions import transact
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line, Table
from webapp.imports.report import Outcome, Report, Result

R = TypeVar("R")


@dataclass(frozen=True)
class Numbered(Generic[R]):
    """A line that could be read, as a record of its kind."""

    line: int
    record: R


class Importer(ABC, Generic[R]):
    """One kind of file. An importer serves one run; trying first and importing then takes two."""

    columns: tuple[Column, ...]
    batch_size: ClassVar[int] = 500

    @abstractmethod
    def parse(self, line: Line, present: frozenset[str]) -> R:
        """The record that a line describes, without a look into the database.

        Raises:
            LineError: a value is missing or makes no sense.
        """

    @abstractmethod
    def key(self, record: R) -> tuple[Hashable, str, str]:
        """What only one line of a file may describe: the key, its words in a sentence, the column that holds it."""

    @abstractmethod
    def handle(self, db: Session, batch: Sequence[Numbered[R]], *, apply: bool) -> list[Outcome]:
        """Decide about each record and, if `apply`, write. May be called again with a batch whose writing failed."""

    def look_ahead(self, db: Session, table: Table) -> None:
        """Before the first batch: a look at the whole file, for kinds whose lines mean something together."""

    def finish(self, db: Session, *, apply: bool) -> None:
        """After the last batch: what only the whole file tells; if `apply`, written in transactions of its own."""

    def settle(self) -> None:
        """The last batch is done: what it would add counts as there for the next ones."""

    def notes(self) -> list[str]:
        """What should be known about the file as a whole."""
        return []


def run_import(
    db: Session,
    table: Table,
    importer: Importer[R],
    *,
    apply: bool,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Import the good lines of a file and report the others. Doing it twice changes nothing.

    Args:
        db: a session with nothing pending; committed after each batch.
        table: the file.
        importer: its kind.
        apply: False tries: the same report, nothing written.
        on_outcome: called with what became of each line, by batches.

    Raises:
        TableError: the file is too long. What stood before is imported.
    """
    report = Report()
    first_lines: dict[Hashable, int] = {}
    long = 0
    db.commit()
    importer.look_ahead(db, table)
    db.commit()
    for batch in _batches(table.lines(), importer.batch_size):
        contents = {line.number: line.content for line in batch}
        long += sum(line.last > line.number for line in batch if line.error is None)
        good, outcomes = _read(batch, table.present, importer, first_lines)
        outcomes += _written(db, good, importer, apply=apply)
        importer.settle()
        for outcome in sorted(outcomes, key=lambda outcome: outcome.line):
            told = outcome
            if outcome.result is Result.REFUSED:
                told = replace(outcome, content=contents[outcome.line])
            report.count(told)
            if on_outcome is not None:
                on_outcome(told)
    importer.finish(db, apply=apply)
    report.notes = importer.notes()
    if long:
        report.notes.append(f"Records with line breaks inside a field, each of which counts as one line: {long:,}.")
    if table.unused:
        columns = ", ".join(table.unused[:10])
        report.notes.append(f"Not used, because nothing here is called so: {columns}.")
    return report


def _read(
    batch: Sequence[Line], present: frozenset[str], importer: Importer[R], first_lines: dict[Hashable, int]
) -> tuple[list[Numbered[R]], list[Outcome]]:
    good: list[Numbered[R]] = []
    outcomes: list[Outcome] = []
    for line in batch:
        try:
            if line.error is not None:
                raise line.error
            record = importer.parse(line, present)
            _refuse_second(importer, record, line.number, first_lines)
            good.append(Numbered(line.number, record))
        except LineError as error:
            outcomes.append(refused(line.number, error))
    return good, outcomes


def _refuse_second(importer: Importer[R], record: R, line: int, first_lines: dict[Hashable, int]) -> None:
    key, words, column = importer.key(record)
    first = first_lines.setdefault(key, line)
    if first != line:
        raise LineError(f"{words} is already on line {first}; that line counts.", column)


def _written(db: Session, good: Sequence[Numbered[R]], importer: Importer[R], *, apply: bool) -> list[Outcome]:
    def work(db: Session) -> list[Outcome]:
        return importer.handle(db, good, apply=apply) if good else []

    if apply:
        return transact(db, work)
    outcomes = work(db)
    db.commit()
    return outcomes


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while batch := list(islice(lines, size)):
        yield batch


def refused(line: int, error: LineError) -> Outcome:
    """The outcome of a line that cannot be imported."""
    return Outcome(line, Result.REFUSED, error.message, error.column)
