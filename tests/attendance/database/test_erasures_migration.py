"""What was asked of the gallery's worker becomes erasures, and back; on SQLite and on MariaDB."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from attendance.database import migrations
from attendance.database.engine import downgrade, losses_of_downgrade, upgrade
from attendance.database.models import Erasure, ErasureKind, GalleryJob, GalleryJobKind, JobState
from tests.factories import NINE, make_lecturer, make_student

(_OURS,) = (Path(migrations.__file__).parent / "versions").rglob("*_erasures.py")
BEFORE = f"{int(_OURS.name[:4]) - 1:04}"


def add_job(db, number, state, **values):
    db.add(GalleryJob(kind=GalleryJobKind.ERASE, index_number=number, state=state, requested_at=NINE, **values))


def test_erasures_are_taken_over_and_given_back(db, engine):
    lecturer = make_lecturer(db)
    make_student(db, "known").consent_withdrawn_at = NINE
    make_student(db, "failed").consent_withdrawn_at = NINE
    make_student(db, "consents").consent_given_at = NINE
    db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number="consents"))
    add_job(db, "known", JobState.DONE, finished_at=NINE + timedelta(minutes=1), message="Erased.")
    add_job(db, "gone", JobState.DONE, finished_at=NINE + timedelta(minutes=1), message="Erased.")
    add_job(db, "known", JobState.WAITING, requested_by_id=lecturer.id, message="somebody reads")
    add_job(db, "deleted", JobState.WORKING)
    add_job(db, "failed", JobState.FAILED, message="The disk is full.")
    add_job(db, "consents", JobState.FAILED, message="The disk is full.")
    db.commit()
    db.close()
    downgrade(engine, BEFORE, lossy=True)
    upgrade(engine)
    rows = db.scalars(sa.select(Erasure).order_by(Erasure.id)).all()
    assert [(row.kind, row.index_number, row.finished_at is not None) for row in rows] == [
        (ErasureKind.WITHDRAWAL, "known", True),
        (ErasureKind.DELETION, None, True),  # nobody's number stays
        (ErasureKind.WITHDRAWAL, "known", False),
        (ErasureKind.DELETION, "deleted", False),
        (ErasureKind.WITHDRAWAL, "failed", False),  # is begun anew; but not of whom has consented since
    ]
    assert (rows[2].requested_by_id, rows[2].message, rows[2].requested_at) == (lecturer.id, "somebody reads", NINE)
    assert db.scalars(sa.select(GalleryJob.kind)).all() == [GalleryJobKind.ENROL]
    db.close()

    assert losses_of_downgrade(engine, BEFORE) == ["2 records of erasures that were carried out"]
    downgrade(engine, BEFORE, lossy=True)
    with engine.connect() as connection:
        query = "SELECT index_number, state FROM gallery_job WHERE kind = 'erase' ORDER BY id"
        again = connection.execute(sa.text(query)).all()
    assert [tuple(row) for row in again] == [("known", "waiting"), ("deleted", "waiting"), ("failed", "waiting")]
    upgrade(engine)
