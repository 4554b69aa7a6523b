"""Erasing students from everywhere: the database, the outboxes, the gallery. Whoever erases comes here.

What is asked for is a row (`attendance.database.upkeep.erasure_requests`), whoever asks: pages, the student's own page,
commands. The gallery's worker carries it out by `carry_out`; the commands do so at once, by `erase_students` and
`delete_students`. Recognition services read the rows and erase what they remember themselves. Interrupted anywhere, or
with something left, an erasure is begun again, which does what is not done yet: every step takes for granted that it
was done before, in part or whole.

The database comes first: from then on the service drops what it still sees of the students, and nobody enrols them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.consent import BY_COMMAND, Recorder
from attendance.database.engine import DatabaseError, begin_writing, session_factory
from attendance.database.models import Erasure, ErasureKind, Service, Student
from attendance.database.upkeep.backup import backups_in
from attendance.database.upkeep.erasure import delete_student, forget_index_number, withdraw, withdraw_and_erase
from attendance.database.upkeep.erasure_requests import (
    Claimed,
    claim_now,
    finish_erasures,
    note_overwritten,
    note_shared,
    request_erasure,
    take_back,
    to_overwrite,
    unfinished_erasures,
    waited_for,
)
from attendance.database.upkeep.overwriting import PATIENCE_S, forget_deleted_rows, rebuild_tables
from attendance.errors import AttendanceError
from attendance.gallery.publishing import BuiltIndex
from attendance.gallery.removal import erase_from_gallery, is_in_gallery
from attendance.settings import Settings
from attendance.settings.families import traits_of
from index_builder.index_versions import record_version
from recognition_service.outbox.store import erase_from_outbox


@dataclass(slots=True)
class ErasureReport:
    """What was erased, and what could not be."""

    encodings: int = 0
    """Rows of the store."""
    photos: int = 0
    """Files from which those were made."""
    waiting: int = 0
    """Sightings, and what confirmed them, on their way to the database."""
    versions: int = 0
    """Versions of the index."""
    published: str | None = None
    """The version of the index that was published without the students; None: none held them."""
    unknown: list[str] = field(default_factory=list)
    """Of whom nothing was found anywhere."""
    unrecorded: str | None = None
    """Why the database does not list the published version; None: it does."""
    unwritten: str | None = None
    """Why a server has not written its tables anew; None: it has, or need not."""
    unfinished: list[str] = field(default_factory=list)
    """Sentences on what is not erased yet, without their full stop. Ask again."""

    @property
    def left(self) -> str | None:
        """What is not erased yet, as whole sentences; None: nothing is left."""
        return ". ".join(self.unfinished) + "." if self.unfinished else None


class _Ask(Protocol):
    """Withdraws in or deletes a student's row, and asks everybody for the rest, in the caller's transaction."""

    def __call__(self, db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None: ...


def erase_students(
    settings: Settings,
    engine: sa.Engine,
    students: Sequence[str],
    *,
    photos: bool = True,
    patience_s: float = PATIENCE_S,
) -> ErasureReport:
    """Erase students: their consent counts as withdrawn; photos, encodings and evidence go, in every file.

    Recognition services carry it out for themselves within seconds; see `services_waited_for`.

    Args:
        settings: where everything is.
        engine: the database; its schema is current.
        students: index numbers; those whom the database does not know are looked for in the gallery and the outboxes.
        photos: delete the files, too, from which the encodings were made.
        patience_s: how long those who read the database are waited for, seconds.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away or refuses; nothing was erased. Ask again.
    """
    return _erase_now(settings, engine, students, withdraw_and_erase, photos=photos, patience_s=patience_s)


def delete_students(
    settings: Settings, engine: sa.Engine, students: Sequence[str], *, patience_s: float = PATIENCE_S
) -> ErasureReport:
    """Delete students with every trace in the registers, and all that `erase_students` erases; as that.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: as for `erase_students`.
    """
    return _erase_now(settings, engine, students, delete_student, photos=True, patience_s=patience_s)


def carry_out(
    settings: Settings,
    engine: sa.Engine,
    erasures: Sequence[Claimed],
    *,
    photos: bool = True,
    patience_s: float = PATIENCE_S,
) -> ErasureReport:
    """Erase students from all that is shared: the database, the gallery, and the outboxes that this machine reaches.

    A step that fails does not keep the others from being done.

    Args:
        settings: where everything is.
        engine: the database; its schema is current.
        erasures: the caller's to carry out.
        photos: delete the files, too, from which the encodings were made.
        patience_s: how long those who read the database are waited for, seconds.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away or refuses; nothing was erased. Try again.
    """
    report, now = ErasureReport(), datetime.now(UTC)
    sessions = session_factory(engine)
    students = [erasure.index_number for erasure in erasures]
    found = set()
    for erasure in erasures:
        if withdraw(sessions, erasure.index_number, now=now, asked_at=erasure.requested_at):
            found.add(erasure.index_number)
        elif erasure.kind is not ErasureKind.WITHDRAWAL:
            with sessions.begin() as db:
                begin_writing(db)
                forget_index_number(db, erasure.index_number, [erasure.index_number])
    found |= _erase_from_outboxes(settings.outbox_paths, students, report)
    found |= _erase_from_gallery(settings, students, report, photos=photos)
    with _noting(report):
        forget_deleted_rows(engine, patience_s=patience_s)
    report.unknown = [student for student in students if student not in found]
    return report


def finish(sessions: sessionmaker[Session]) -> int:
    """Finish the erasures that everybody has carried out; how many there were. `overwrite` is due afterwards."""
    with sessions() as db:
        if not any(erasure.shared_at is not None for erasure in unfinished_erasures(db)):
            return 0
    with sessions.begin() as db:
        begin_writing(db)
        return finish_erasures(db, datetime.now(UTC))


def overwrite(engine: sa.Engine, *, patience_s: float = PATIENCE_S, rebuild: bool = True) -> None:
    """Let nothing stay of what finished erasures deleted in the files of the database, and note that.

    Args:
        engine: the database.
        patience_s: how long those who read an SQLite database are waited for, seconds.
        rebuild: write the tables of MariaDB or MySQL anew, which takes a while. Without it that is left for later.

    Raises:
        DatabaseError: what was deleted can still be read; the message says why. Try again.
    """
    sessions = session_factory(engine)
    with sessions() as db:
        due = to_overwrite(db)
    forget_deleted_rows(engine, patience_s=patience_s)
    if not due or (engine.dialect.name != "sqlite" and not rebuild):
        return
    rebuild_tables(engine, patience_s=patience_s)
    with sessions.begin() as db:
        begin_writing(db)
        note_overwritten(db, due, datetime.now(UTC))


def services_waited_for(engine: sa.Engine) -> list[tuple[Erasure, list[Service]]]:
    """The erasures that are not finished, and the services that have not acknowledged them."""
    with session_factory(engine)() as db:
        erasures = unfinished_erasures(db)
        waiting = waited_for(db, erasures, datetime.now(UTC))
    return [(erasure, waiting[erasure.id]) for erasure in erasures]


def _erase_now(
    settings: Settings,
    engine: sa.Engine,
    students: Sequence[str],
    ask: _Ask,
    *,
    photos: bool,
    patience_s: float,
) -> ErasureReport:
    """Ask for erasures by rows, carry out what is shared, and finish what nobody else has to do anything for."""
    sessions, now = session_factory(engine), datetime.now(UTC)
    known = set()
    with sessions.begin() as db:
        begin_writing(db)
        for student in students:
            row = db.scalars(sa.select(Student).where(Student.index_number == student)).one_or_none()
            if row is None:  # it may be in the gallery, or on its way to the database
                request_erasure(db, student, kind=ErasureKind.DELETION, now=now, recorder=BY_COMMAND)
            else:
                known.add(student)
                ask(db, row, now=now, recorder=BY_COMMAND)
        erasures = claim_now(db, students, now)
    report = carry_out(settings, engine, erasures, photos=photos, patience_s=patience_s)
    report.unknown = [student for student in report.unknown if student not in known]
    left = report.left
    with sessions.begin() as db:
        begin_writing(db)
        for erasure in erasures:
            note_shared(db, erasure, left, datetime.now(UTC))
            if left is None and erasure.index_number in report.unknown:
                take_back(db, erasure)
    finish(sessions)
    try:
        overwrite(engine, patience_s=patience_s)
    except DatabaseError as error:
        if engine.dialect.name == "sqlite":
            report.unfinished.append(str(error))
        else:
            report.unwritten = str(error)
    return report


def what_remains(settings: Settings, engine: sa.Engine, report: ErasureReport) -> list[str]:
    """Sentences on where a student may be read after an erasure that ended well, and what to do there."""
    remains = []
    folder = settings.data.directory / "backups"
    backups = backups_in(folder)
    if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
        remains.append(f"Backups made before still hold the students; delete them in {folder}, which root can list.")
    elif backups:
        names = ", ".join(path.name for path in backups)
        remains.append(f"Backups made before still hold the students; delete them in {backups[0].parent}: {names}.")
    if engine.dialect.name != "sqlite":
        if report.unwritten is not None:
            remains.append(f"For now {report.unwritten}. `attendance purge` tries it again every night.")
        remains.append(
            "The database server's logs (redo, undo, binary) hold deleted rows until it writes over them. "
            "docs/operations.md says how to have them gone at once."
        )
    return remains


def _erase_from_outboxes(paths: Sequence[Path], students: Sequence[str], report: ErasureReport) -> set[str]:
    """Of whom something waited."""
    found = set()
    for path in paths:
        for student in students:
            with _noting(report):
                removed = erase_from_outbox(path, student)
                report.waiting += removed
                found |= {student} if removed else set()
    return found


def _erase_from_gallery(
    settings: Settings, students: Sequence[str], report: ErasureReport, *, photos: bool
) -> set[str]:
    """Whom the gallery held."""
    store, index = settings.store_path, settings.index_path
    with _noting(report):
        held = {student for student in students if is_in_gallery(student, store_path=store, index_path=index)}
        erased = erase_from_gallery(students, store_path=store, index_path=index, traits_of=traits_of, photos=photos)
        report.encodings, report.photos, report.versions = erased.encodings, len(erased.photos), len(erased.versions)
        if erased.built is not None:
            report.published = erased.built.manifest.version
            record_index(settings, erased.built, lambda reason: setattr(report, "unrecorded", reason))
        return held
    return set(students)  # not known, so nobody is called unknown


def record_index(settings: Settings, built: BuiltIndex, refused: Callable[[str], None]) -> None:
    """Add a published version to the database's list; `refused` is told why it could not be, which costs nothing."""
    try:
        record_version(settings.database_url, built)
    except DatabaseError as error:
        refused(str(error))


@contextmanager
def _noting(report: ErasureReport) -> Iterator[None]:
    """Note in the report what a step could not erase, and let the next one begin."""
    try:
        yield
    except AttendanceError as error:
        report.unfinished.append(str(error))
    except OSError as error:
        report.unfinished.append(f"cannot delete {error.filename}: {error.strerror}")
