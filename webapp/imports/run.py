"""An import, batch by batch: each batch is one transaction, so a register being filled meanwhile never waits long."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar, Generic, Protocol, TypeVar

from sqlalchemy.orm import Session

from attendance.database.transactions import transact
from attendance.tables.columns import LEFT_OUT
from attendance.tables.errors import LineError
from attendance.tables.reading import Column, Line
from attendance.texts import english
from webapp.imports.plan import CREATABLE, ImportPlan, MissingError
from webapp.imports.report import Outcome, Report, Result

R = TypeVar("R")

_PAUSE_S = 0.05
"""After a batch on SQLite, where one writes at a time and who waits looks again after up to 0.1 s: without it an import
would take its next turn before anybody else could."""


class Lines(Protocol):
    """What is imported, line by line: a table, or a calendar."""

    @property
    def present(self) -> frozenset[str]:
        """Names of the columns found."""

    @property
    def unused(self) -> tuple[str, ...]:
        """Headings that mean nothing here."""

    def lines(self) -> Iterator[Line]:
        """The lines, anew by each call."""


@dataclass(frozen=True)
class Numbered(Generic[R]):
    """A line that could be read, as a record of its kind."""

    line: int
    record: R


class Importer(ABC, Generic[R]):
    """One kind of file. An importer serves one run; trying first and importing then takes two."""

    columns: tuple[Column, ...]
    batch_size: ClassVar[int] = 500
    not_meant: ClassVar[Mapping[str, str]] = {}
    """Headings, in lower case, that people take for a column of this kind, and what to do: a sentence each."""

    def __init__(self, plan: ImportPlan | None = None) -> None:
        """Take part in a plan of several files, or be the only one."""
        self.plan = plan or ImportPlan()

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

    def look_ahead(self, db: Session, table: Lines) -> None:
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
    table: Lines,
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
    report = Report(create=sorted(importer.plan.create))
    importer.plan.applies = apply
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
    report.created = importer.plan.take_created()
    report.notes = importer.notes()
    if long:
        report.notes.append(
            english("Records with line breaks inside a field, each of which counts as one line: %(lines)s.", lines=long)
        )
    report.notes += _notes_on_unused(table.unused, importer.not_meant)
    return report


def _notes_on_unused(headings: Sequence[str], not_meant: Mapping[str, str]) -> list[str]:
    explained = {heading: not_meant[heading.lower()] for heading in headings if heading.lower() in not_meant}
    notes: list[str] = [
        english("The column %(heading)s is not used: %(sentence)s", heading=heading, sentence=sentence)
        for heading, sentence in explained.items()
    ]
    others = [heading for heading in headings if heading not in explained]
    if others:
        notes.append(
            english("Not used, because nothing here is called so: %(headings)s.", headings=", ".join(others[:10]))
        )
    return notes


def _read(
    batch: Sequence[Line], present: frozenset[str], importer: Importer[R], first_lines: dict[Hashable, int]
) -> tuple[list[Numbered[R]], list[Outcome]]:
    good: list[Numbered[R]] = []
    outcomes: list[Outcome] = []
    for line in batch:
        try:
            if line.error is not None:
                raise line.error
            if line.values.get(LEFT_OUT.name):
                raise LineError(line.values[LEFT_OUT.name])
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
        raise LineError(
            english("%(words)s is already on line %(first)s; that line counts.", words=words, first=first), column
        )


def _written(db: Session, good: Sequence[Numbered[R]], importer: Importer[R], *, apply: bool) -> list[Outcome]:
    def work(db: Session) -> list[Outcome]:
        return importer.handle(db, good, apply=apply) if good else []

    if apply:
        outcomes = transact(db, work)
        if db.get_bind().dialect.name == "sqlite":
            time.sleep(_PAUSE_S)
        return outcomes
    outcomes = work(db)
    db.commit()
    return outcomes


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while batch := list(islice(lines, size)):
        yield batch


def refused(line: int, error: LineError) -> Outcome:
    """The outcome of a line that cannot be imported."""
    missing = None
    if isinstance(error, MissingError) and error.name and error.record in CREATABLE:
        missing = (error.record.value, error.name)
    return Outcome(line, Result.REFUSED, error.message, error.column, missing=missing)
