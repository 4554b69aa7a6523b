"""Work on the gallery that the dashboard asks for, one job after the other: enrolment from photos, and erasure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.audit.forgetting import student_or_mark
from attendance.database.audit.noting import by_command, note
from attendance.database.engine import begin_writing
from attendance.database.models import JOB_ABANDONED, AuditAction, GalleryJob, GalleryJobKind, GalleryJobPhoto, JobState
from attendance.database.upkeep.erasure_requests import Claimed, adopt_former_requests, claim, note_shared
from attendance.face_engine.interface import EngineError, FaceEngine
from attendance.gallery.format import GalleryError, current_version, load_gallery
from attendance.gallery.publishing import BuiltIndex, build_index
from attendance.gallery.store import Store, StoreError, read_store, update_store
from attendance.settings.families import FamilyError, FamilyNumbers, traits_of
from attendance.texts import Text, english
from index_builder.consent import note_gallery, without_consent
from index_builder.enrolment import check_model, origin_of
from index_builder.photos.judging import judge_and_encode
from index_builder.photos.verdicts import PhotoVerdict

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class GalleryWork:
    """Where the gallery is, and what works on it."""

    store_path: Path
    index_path: Path
    engine: Callable[[], FaceEngine]
    """Gives the engine of the gallery's models; called for every enrolment."""
    max_pixels: int
    numbers_of: Callable[[str], FamilyNumbers]
    """Given a model's name, what depends on its family."""
    erase: Callable[[Claimed], str | None]
    """Carries an erasure out; gives what is not erased yet, as sentences for people, or None: nothing is left."""
    published: Callable[[BuiltIndex], None]
    """Told of every index that was published."""


def work_once(sessions: sessionmaker[Session], work: GalleryWork) -> bool:
    """Do the oldest erasure that is due, or else the oldest job; several workers may do so at once.

    What an erasure leaves, it says, and it is tried again until nothing is left of the student.

    Returns:
        Whether there was one.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away; the job is done later.
    """
    if _erase_once(sessions, work):
        return True
    job = _claim(sessions, datetime.now(UTC))
    if job is None:
        return False
    log.info("gallery_job_begins", job=job.id, kind=job.kind)
    try:
        state, message, report = _do(sessions, work, job)
    except (StoreError, GalleryError, EngineError, FamilyError, OSError) as error:
        state, message, report = JobState.FAILED, _said(error), None
    _finish(sessions, job, state, message, report)
    log.info("gallery_job_ends", job=job.id, kind=job.kind, state=state)
    return True


def _erase_once(sessions: sessionmaker[Session], work: GalleryWork) -> bool:
    """Carry the oldest erasure out that is due; whether there was one."""
    with sessions.begin() as db:
        begin_writing(db)
        adopt_former_requests(db)
        erasure = claim(db, datetime.now(UTC))
    if erasure is None:
        return False
    log.info("erasure_begins", erasure=erasure.id, kind=erasure.kind)
    try:
        left = work.erase(erasure)
    except (StoreError, GalleryError, OSError) as error:
        left = str(error)
    with sessions.begin() as db:
        begin_writing(db)
        note_shared(db, erasure, left, datetime.now(UTC))
    log.info("erasure_ends", erasure=erasure.id, kind=erasure.kind, left=left is not None)
    return True


def _said(error: Exception) -> str:
    """What an error says, as a text that can be translated where it is one."""
    said = error.args[0] if error.args else None
    return said if isinstance(said, Text) else str(error)


def _claim(sessions: sessionmaker[Session], now: datetime) -> GalleryJob | None:
    with sessions.begin() as db:
        begin_writing(db)
        abandoned = sa.and_(GalleryJob.state == JobState.WORKING, GalleryJob.started_at < now - JOB_ABANDONED)
        free = sa.and_(GalleryJob.kind == GalleryJobKind.ENROL, sa.or_(GalleryJob.state == JobState.WAITING, abandoned))
        job = db.scalars(sa.select(GalleryJob).where(free).order_by(GalleryJob.id).limit(1)).one_or_none()
        if job is None:
            return None
        # On databases where readers do not wait, another worker may have been quicker.
        taken = db.execute(
            sa.update(GalleryJob).where(GalleryJob.id == job.id, free).values(state=JobState.WORKING, started_at=now),
            execution_options={"synchronize_session": False},
        )
        return job if taken.rowcount == 1 else None  # type: ignore[attr-defined]  # of an update it is a CursorResult


def _do(
    sessions: sessionmaker[Session], work: GalleryWork, job: GalleryJob
) -> tuple[JobState, str, list[dict[str, str | float | None]] | None]:
    if without_consent(sessions, [job.index_number]):
        return JobState.FAILED, english("There is no consent: nothing was done."), None
    with sessions() as db:
        rows = db.execute(
            sa.select(GalleryJobPhoto.file_name, GalleryJobPhoto.content)
            .where(GalleryJobPhoto.job_id == job.id)
            .order_by(GalleryJobPhoto.id)
        ).all()
    verdicts = _enrol(sessions, work, job.index_number, [(name, content) for name, content in rows])
    good = sum(verdict.encoding is not None for verdict in verdicts)
    message = (
        english("%(good)s of %(photos)s photos can be used.", good=good, photos=len(verdicts))
        if good
        else english("No photo can be used.")
    )
    report: list[dict[str, str | float | None]] = [
        {
            "photo": verdict.name,
            "outcome": verdict.outcome.value,
            "detail": verdict.detail,
            "quality": verdict.quality,
            "other": verdict.other,
        }
        for verdict in verdicts
    ]
    return (JobState.DONE if good else JobState.FAILED), message, report


def _enrol(
    sessions: sessionmaker[Session], work: GalleryWork, student: str, photos: Sequence[tuple[str, bytes]]
) -> list[PhotoVerdict]:
    """Add the good photos to what the student has, and publish."""
    engine = work.engine()
    facts = engine.info
    store = read_store(work.store_path, encoding_size=facts.encoding_size) if work.store_path.exists() else None
    if store is not None:
        check_model(work.store_path, store, facts.model)
    known = load_gallery(work.index_path, model=facts.model) if current_version(work.index_path) is not None else None
    own = None if store is None else store.encodings.get(student)
    verdicts = judge_and_encode(
        engine,
        student,
        photos,
        gallery=known,
        own=own,
        max_pixels=work.max_pixels,
        numbers=work.numbers_of(facts.model),
    )
    good = [verdict for verdict in verdicts if verdict.encoding is not None]
    if not good:
        return verdicts

    def add(now: Store | None) -> Store:
        # Asked while nobody else can write the store: an erasure came before this, or will find what is added here.
        if without_consent(sessions, [student]):
            raise StoreError(english("consent was withdrawn meanwhile: nothing was added"))
        now = now or Store({}, facts.model, facts.encoding_size)
        rows = [*now.encodings.get(student, ()), *(verdict.encoding for verdict in good)]
        origins = [
            *now.provenance.get(student, ()),
            *(origin_of(verdict, "dashboard", facts.model) for verdict in good),
        ]
        return now.with_students({student: np.array(rows, np.float64)}, {student: origins})

    store = update_store(work.store_path, add, encoding_size=facts.encoding_size)
    work.published(build_index(work.store_path, work.index_path, traits_of=traits_of))
    note_gallery(sessions, {student: len(store.encodings[student])}, now=datetime.now(UTC))
    return verdicts


def _finish(
    sessions: sessionmaker[Session],
    job: GalleryJob,
    state: JobState,
    message: str,
    report: list[dict[str, str | float | None]] | None,
) -> None:
    """Write down how the job ended, and delete its photos; nothing where an erasure has ended it meanwhile."""
    with sessions.begin() as db:
        begin_writing(db)
        db.execute(sa.delete(GalleryJobPhoto).where(GalleryJobPhoto.job_id == job.id))
        ended = db.execute(
            sa.update(GalleryJob)
            .where(GalleryJob.id == job.id, GalleryJob.state == JobState.WORKING)
            .values(state=state, finished_at=datetime.now(UTC), message=message, report=report)
        )
        if not ended.rowcount:  # type: ignore[attr-defined]  # of an update it is a CursorResult
            return
        details = {"photos": len(report or []), "failed": int(state is JobState.FAILED)}
        student = student_or_mark(db, job.index_number)
        note(db, AuditAction.PHOTOS_ENROLLED, actor=by_command(), student=student, details=details)
