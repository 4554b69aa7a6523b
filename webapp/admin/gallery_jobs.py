"""The gallery's jobs as the pages ask for them and show them; `attendance gallery work` does them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.models import JOB_ABANDONED, Erasure, GalleryJob, GalleryJobPhoto, JobState
from webapp.admin.blueprint import blueprint
from webapp.admin.erasures import ShownErasure, erasures_of

WAITS_LONG = timedelta(minutes=5)
_SHOWN = 10
_OPEN = (JobState.WAITING, JobState.WORKING)

# Outcomes of photos, for people; what is not here stands as it is.
_VERDICTS = {
    "ok": (lazy_gettext("Used"), "good"),
    "doubtful": (lazy_gettext("Used, but doubtful"), "warn"),
    "set aside": (lazy_gettext("Set aside: kept, not searched"), "warn"),
    "no face": (lazy_gettext("No face was found"), "bad"),
    "not upright": (lazy_gettext("The face is not upright"), "bad"),
    "several faces": (lazy_gettext("Several faces"), "bad"),
    "unreadable": (lazy_gettext("Cannot be read"), "bad"),
    "too small": (lazy_gettext("The face is too small"), "bad"),
    "blurred": (lazy_gettext("Blurred"), "bad"),
    "too dark": (lazy_gettext("Too dark"), "bad"),
    "too bright": (lazy_gettext("Too bright"), "bad"),
    "low contrast": (lazy_gettext("Too little contrast"), "bad"),
    "turned away": (lazy_gettext("The face is turned away"), "bad"),
    "eyes closed": (lazy_gettext("The eyes are closed"), "bad"),
    "like another student": (lazy_gettext("Very like another student"), "bad"),
    "unlike own photos": (lazy_gettext("Unlike the student's other photos"), "bad"),
    "photo of two students": (lazy_gettext("Also given for another student"), "bad"),
    "same photo again": (lazy_gettext("The same photo again"), "plain"),
}
_STATES = {
    JobState.WAITING: (lazy_gettext("Waiting"), "plain"),
    JobState.WORKING: (lazy_gettext("At work"), "live"),
    JobState.DONE: (lazy_gettext("Done"), "good"),
    JobState.FAILED: (lazy_gettext("Failed"), "bad"),
}


@dataclass(frozen=True)
class StudentJobs:
    """What was asked of the gallery for one index number.

    Attributes:
        shown: the latest ones, newest first.
        photos: how many photos wait, by the job's id.
        total: how many jobs there are.
        erasures: the latest ones, newest first.
        moving: whether one waits or is worked on, or an erasure is not finished.
        erasing: whether an erasure is not finished.
        stalled: whether one waits, and no worker seems to be there.
    """

    shown: Sequence[GalleryJob]
    photos: dict[int, int]
    total: int
    erasures: Sequence[ShownErasure]
    moving: bool
    erasing: bool
    stalled: bool


def jobs_of(db: Session, index_number: str, now: datetime) -> StudentJobs:
    """The jobs of one student."""
    mine = GalleryJob.index_number == index_number
    query = sa.select(GalleryJob).options(joinedload(GalleryJob.requested_by)).where(mine)
    shown = db.scalars(query.order_by(GalleryJob.id.desc()).limit(_SHOWN)).all()
    waiting = any(job.state is JobState.WAITING for job in shown)
    erasures = erasures_of(db, index_number, now)
    erasing = any(erasure.row.finished_at is None for erasure in erasures)  # one that is open is joined, so the latest
    return StudentJobs(
        shown=shown,
        photos=_photos_of(db, [job.id for job in shown if job.state in _OPEN]),
        total=db.scalar(sa.select(sa.func.count()).select_from(GalleryJob).where(mine)) or 0,
        erasures=erasures,
        moving=erasing or any(job.state in _OPEN for job in shown),
        erasing=erasing,
        stalled=(waiting or erasing) and stalled_since(db, now) is not None,
    )


def waiting_photos(db: Session, index_number: str) -> int:
    """How many photos of the student are on their way into the gallery."""
    query = (
        sa.select(sa.func.count())
        .select_from(GalleryJobPhoto)
        .join(GalleryJob, GalleryJob.id == GalleryJobPhoto.job_id)
    )
    return db.scalar(query.where(GalleryJob.index_number == index_number, GalleryJob.state.in_(_OPEN))) or 0


def stalled_since(db: Session, now: datetime) -> datetime | None:
    """Since when something waits while no worker seems to be there; None if one is there or nothing waits for long.

    A worker that is busy with others' jobs counts as there.
    """
    waiting = sa.select(sa.func.min(GalleryJob.requested_at, type_=GalleryJob.requested_at.type))
    erasing = sa.select(sa.func.min(Erasure.requested_at, type_=Erasure.requested_at.type))
    both = (
        db.scalar(waiting.where(GalleryJob.state == JobState.WAITING)),
        db.scalar(erasing.where(Erasure.shared_at.is_(None), Erasure.finished_at.is_(None))),
    )
    oldest: datetime | None = min((moment for moment in both if moment is not None), default=None)
    if oldest is None or now - oldest < WAITS_LONG:
        return None
    at_work = sa.or_(
        sa.and_(GalleryJob.state == JobState.WORKING, GalleryJob.started_at > now - JOB_ABANDONED),
        sa.and_(GalleryJob.started_at.is_not(None), GalleryJob.finished_at > now - WAITS_LONG),
    )
    # One that was begun is leased into the future, or for a minute until it is tried again.
    begun = sa.or_(Erasure.leased_until > now - WAITS_LONG, Erasure.shared_at > now - WAITS_LONG)
    there = sa.or_(sa.exists().where(at_work), sa.exists().where(begun))
    return None if db.scalar(sa.select(there)) else oldest


@blueprint.app_template_filter("verdict")
def verdict(outcome: str) -> tuple[str, str]:
    """A photo's outcome in words, and the kind of badge that goes with it."""
    return _VERDICTS.get(outcome, (outcome.capitalize(), "plain"))


@blueprint.app_template_filter("job_state")
def job_state(state: JobState) -> tuple[str, str]:
    """A job's state in words, and the kind of badge that goes with it."""
    return _STATES[state]


def _photos_of(db: Session, jobs: Sequence[int]) -> dict[int, int]:
    query = sa.select(GalleryJobPhoto.job_id, sa.func.count()).where(GalleryJobPhoto.job_id.in_(jobs))
    return dict(iter(db.execute(query.group_by(GalleryJobPhoto.job_id))))
