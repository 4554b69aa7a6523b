"""Erasing students from everywhere: the database, the outboxes, the gallery. Whoever erases comes here.

The command `attendance gallery erase` and the gallery's worker call `erase_students`; the dashboard withdraws in the
database and leaves the rest to the worker. Interrupted anywhere, or with something left, it is asked for again, which
does what is not done yet: every step takes for granted that it was done before, in part or whole.

The database comes first: from then on the service drops what it still sees of the students, and nobody enrols them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from attendance.database.engine import DatabaseError, session_factory
from attendance.database.upkeep.backup import backups_in
from attendance.database.upkeep.erasure import PATIENCE_S, forget_deleted_rows, withdraw
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
    unfinished: list[str] = field(default_factory=list)
    """Sentences on what is not erased yet, without their full stop. Ask again."""


def erase_students(
    settings: Settings,
    engine: sa.Engine,
    students: Sequence[str],
    *,
    photos: bool = True,
    asked_at: datetime | None = None,
    patience_s: float = PATIENCE_S,
) -> ErasureReport:
    """Erase students: their consent counts as withdrawn; photos, encodings and evidence go, in every file.

    A step that fails does not keep the others from being done.

    Args:
        settings: where everything is.
        engine: the database; its schema is current.
        students: index numbers.
        photos: delete the files, too, from which the encodings were made.
        asked_at: as for `withdraw`.
        patience_s: how long those who read the database are waited for, seconds.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away or refuses; nothing was erased. Ask again.
    """
    report, now = ErasureReport(), datetime.now(UTC)
    sessions = session_factory(engine)
    found = {student for student in students if withdraw(sessions, student, now=now, asked_at=asked_at)}
    found |= _erase_from_outboxes(settings.outbox_paths, students, report)
    found |= _erase_from_gallery(settings, students, report, photos=photos)
    with _noting(report):
        forget_deleted_rows(engine, patience_s=patience_s)
    report.unknown = [student for student in students if student not in found]
    return report


def what_remains(settings: Settings, engine: sa.Engine) -> list[str]:
    """Sentences on where a student may be read after an erasure that ended well, and what to do there."""
    remains = []
    backups = backups_in(settings.data.directory / "backups")
    if backups:
        names = ", ".join(path.name for path in backups)
        remains.append(f"Backups made before still hold the students; delete them in {backups[0].parent}: {names}.")
    if engine.dialect.name != "sqlite":
        remains.append(
            "The database server overwrites deleted rows later: its logs (redo, undo, binary) and free pages may hold "
            "them for a while. docs/operations.md says how to have them gone at once."
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
