"""Consent, and what the database says of the gallery: nobody is enrolled who did not agree to it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.consent import BY_COMMAND, give_consent, outlives_withdrawal
from attendance.database.engine import DatabaseError, begin_writing, require_current_schema, session_factory
from attendance.database.models import Student
from attendance.database.opening import open_engine
from attendance.database.upkeep.erasure_requests import being_erased
from attendance.tables.index_numbers import alike, likeness
from index_builder.index_versions import require_database_file
from index_builder.photos.sources import Claim


class ConsentUnknownError(DatabaseError):
    """Whether students consent cannot be seen, or not any more, so nobody is enrolled; the message says why."""


_BLOCK = 500
"""Index numbers asked for at once; SQLite takes 32,766 parameters."""


@contextmanager
def open_register(database_url: str) -> Iterator[sessionmaker[Session]]:
    """The database in which consent is recorded.

    Raises:
        ConsentUnknownError: there is none, it is away, refuses, or its schema is not current. Also for what happens in
            the block.
    """
    try:
        require_database_file(database_url)
        with open_engine(database_url, pool_size=1) as engine:
            require_current_schema(engine)
            yield session_factory(engine)
    except ConsentUnknownError:
        raise
    except DatabaseError as error:
        raise ConsentUnknownError(
            f"whether students consented cannot be seen, so nobody is enrolled: {error}"
        ) from error


def doubtful(sessions: sessionmaker[Session], students: Collection[str]) -> list[str]:
    """What should be checked about index numbers before they are enrolled.

    Args:
        sessions: makes sessions of the database.
        students: index numbers, those of the database among them or not.

    Returns:
        A sentence for each that is new and hardly told apart from another one.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with sessions() as db:
        known = db.scalars(sa.select(Student.index_number)).all()
    return [likeness(number, other) for number, other in alike(students, known)]


def record_consents(
    sessions: sessionmaker[Session], claims: Mapping[str, Claim], *, means: str | None, now: datetime
) -> Mapping[str, str]:
    """Record the consent that is claimed for students, and say who may not be enrolled.

    A student whom the database does not know is added where consent is claimed. Consent that is recorded already stays
    as it is. After a withdrawal only a claim with a later date counts.

    Args:
        sessions: makes sessions of the database.
        claims: for each student what the table of photos says; an empty claim for those of folders.
        means: by which everybody gave consent; None: nobody said so.
        now: the time to record where a claim has none.

    Returns:
        For each student who may not be enrolled, why.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away or refuses.
    """
    refused: dict[str, str] = {}
    with sessions.begin() as db:
        begin_writing(db)
        known = {student.index_number: student for student in _students(db, claims)}
        erasing = being_erased(db, claims)
        for index_number, claim in claims.items():
            if index_number in erasing:
                refused[index_number] = "the student is being erased: enrol again when that is done"
                continue
            student = known.get(index_number)
            claimed = claim.consent_means or means
            if student is None and claimed:
                student = Student(index_number=index_number, name=claim.name or index_number)
                db.add(student)
            reason = _settle(db, student, claim, claimed, now)
            if reason is not None:
                refused[index_number] = reason
    return refused


def _settle(db: Session, student: Student | None, claim: Claim, means: str | None, now: datetime) -> str | None:
    """Record a claim on the student's row; why the student may not be enrolled, or None."""
    if student is None:
        return "the database does not know the student, and no consent is recorded"
    given = claim.consented_at or now
    if student.consent_withdrawn_at is not None:
        later = claim.consented_at is not None and outlives_withdrawal(claim.consented_at, student.consent_withdrawn_at)
        if not later or not means:
            return "consent was withdrawn"
    elif student.consent_given_at is not None:
        return None
    elif not means:
        return "no consent is recorded"
    give_consent(db, student, given_at=given, means=means, recorder=BY_COMMAND)
    return None


def without_consent(sessions: sessionmaker[Session], students: Collection[str]) -> frozenset[str]:
    """Those of the students who have not consented, or not any more.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with sessions() as db:
        agreed = {
            student.index_number
            for student in _students(db, students)
            if student.consent_given_at is not None and student.consent_withdrawn_at is None
        }
    return frozenset(students) - agreed


def note_gallery(sessions: sessionmaker[Session], encodings: Mapping[str, int], *, now: datetime) -> None:
    """Write down how many encodings the gallery has of each of these students; not of who withdrew consent meanwhile.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database is away.
    """
    with sessions.begin() as db:
        begin_writing(db)
        for student in _students(db, encodings):
            if student.consent_withdrawn_at is None:
                student.gallery_encodings = encodings[student.index_number]
                student.gallery_updated_at = now


def _students(db: Session, index_numbers: Collection[str]) -> Iterator[Student]:
    wanted = list(index_numbers)
    for start in range(0, len(wanted), _BLOCK):
        block = wanted[start : start + _BLOCK]
        # The database may compare without regard to case; the gallery does not.
        for student in db.scalars(sa.select(Student).where(Student.index_number.in_(block))):
            if student.index_number in index_numbers:
                yield student
