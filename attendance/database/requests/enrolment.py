"""Asking the gallery's worker to make encodings of photos."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from attendance.database.models import GalleryJob, GalleryJobKind, GalleryJobPhoto


def request_enrolment(
    db: Session, index_number: str, photos: Iterable[tuple[str, bytes]], *, asked_by: int
) -> GalleryJob:
    """Hand photos to the gallery's worker, in the caller's transaction.

    Args:
        db: begun with `begin_writing`; the student's consent has been looked at in it.
        index_number: the student's.
        photos: name and content of each, read one after the other, so that not all need be in memory.
        asked_by: the id of the account that asks.
    """
    job = GalleryJob(kind=GalleryJobKind.ENROL, index_number=index_number, requested_by_id=asked_by)
    db.add(job)
    db.flush()
    for name, content in photos:
        photo = GalleryJobPhoto(job_id=job.id, file_name=name, content=content)
        db.add(photo)
        db.flush()  # one at a time: a statement with all of them would be larger than MariaDB takes
        db.expunge(photo)
    return job
