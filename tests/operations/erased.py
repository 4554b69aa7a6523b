"""Two students who are in every file of an installation; one of them is to be erased."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import sessionmaker

from attendance.database.engine import begin_writing
from attendance.database.evidence import Evidence, record_evidence
from attendance.database.models import (
    AttendanceEvidence,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    PhotoProposal,
    Student,
)
from attendance.database.register import Sighting
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store
from attendance.settings import Settings
from attendance.settings.families import traits_of
from recognition_service.outbox.store import Outbox
from tests.factories import NINE, enrol, make_course, make_session
from tests.recognition_service.evidences import make_evidence
from tests.stores import write_store

WHO, OTHER = "2401-erased", "2402-stays"
MARK = f"mark-of-{WHO}"
"""In all that the database keeps of the student's face."""


class Installation:
    """A data folder and a database in which two students are everywhere."""

    def __init__(self, settings: Settings, engine: sa.Engine) -> None:
        self.settings, self.engine = settings, engine
        self.folder = settings.data.directory
        self.sessions = sessionmaker(engine, expire_on_commit=False)
        with self.sessions.begin() as db:
            course = make_course(db)
            students = [Student(index_number=name, name="N", consent_given_at=NINE) for name in (WHO, OTHER)]
            db.add_all(students)
            db.flush()
            enrol(db, course, *students)
            self.session_id = make_session(db, course).id
        self._keep(students)
        self._publish()
        self.outboxes = [Outbox(self.folder / name) for name in ("outbox.db", "outbox-2.db")]
        for outbox in self.outboxes:
            self.wait_in(outbox)

    def _keep(self, students: list[Student]) -> None:
        """Evidence and photos of both, row by row in turns, so that pages of the file are split and joined."""
        for number in range(40):
            with self.sessions.begin() as db:
                begin_writing(db)
                for student in students:
                    record_evidence(db, self._evidence(student.index_number, f"{number}-of-{student.index_number}"))
                db.add(self._job(WHO, b"photo " + MARK.encode() * 40))
                proposal = PhotoProposal(student_id=students[0].id, file_name=f"{MARK}.jpg", reason=f"no: {MARK}")
                proposal.content = b"proposed " + MARK.encode() * 40
                db.add(proposal)
                if number % 3:
                    first = sa.select(sa.func.min(AttendanceEvidence.id)).scalar_subquery()
                    others = AttendanceEvidence.student_id == students[1].id
                    rows = db.scalars(sa.select(AttendanceEvidence).where(AttendanceEvidence.id == first, others))
                    for row in rows:
                        db.delete(row)
        near = {"photo": "a.jpg", "outcome": "like another student", "detail": f"0.4 to {MARK}", "other": WHO}
        with self.sessions.begin() as db:
            report = [near, near | {"other": None, "detail": "good"}]
            db.add(GalleryJob(kind=GalleryJobKind.ENROL, index_number=OTHER, state=JobState.DONE, report=report))

    def _evidence(self, student: str, uid: str) -> Evidence:
        version = MARK if student == WHO else "v1"
        return make_evidence(self.session_id, student, uid=uid[-36:], index_version=version)

    def _job(self, student: str, photo: bytes) -> GalleryJob:
        job = GalleryJob(kind=GalleryJobKind.ENROL, index_number=student)
        job.photos.append(GalleryJobPhoto(file_name=f"{MARK}.jpg", content=photo))
        return job

    def _publish(self) -> None:
        random = np.random.default_rng(1)
        store = self.settings.store_path
        write_store(store, Store({name: random.normal(0, 0.1, (3, 128)) for name in (WHO, OTHER)}))
        for _ in range(2):
            build_index(store, self.settings.index_path, traits_of=traits_of)
        unfinished = store.with_name(f".{store.name}.new")  # of a writer that was killed
        unfinished.write_bytes(store.read_bytes())

    def wait_in(self, outbox: Outbox) -> None:
        """Have sightings and evidence of both wait."""
        names = (WHO, OTHER)
        seen = [Sighting(session, name, NINE, NINE, 0.9, None) for session in (self.session_id, 7) for name in names]
        outbox.put(seen, [make_evidence(self.session_id, name, index_version=f"of-{name}") for name in names])

    def remains(self) -> list[str]:
        """The files that hold what the database, or anything else, is not to keep."""
        found = []
        for path in self.folder.parent.rglob("*"):
            if path.is_file():
                raw, own = path.read_bytes(), path.name.startswith("attendance.db")
                # The database goes on knowing the student: the register stays.
                if MARK.encode() in raw or (not own and WHO.encode() in raw):
                    found.append(path.name)
        return sorted(found)

    def kept(self) -> tuple[list[str], int]:
        """Of whom the database holds evidence, and how many photos wait of the student."""
        with self.sessions() as db:
            names = db.scalars(sa.select(Student.index_number).join(AttendanceEvidence).distinct()).all()
            photos = db.scalar(sa.select(sa.func.count()).select_from(GalleryJobPhoto)) or 0
        return list(names), photos

    def close(self) -> None:
        for outbox in self.outboxes:
            outbox.close()


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Somebody who reads the database as it is now, and goes on."""
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT count(*) FROM attendance_evidence")).all()
        yield connection
