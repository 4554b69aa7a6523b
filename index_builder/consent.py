"""Consent, and what the database says of the gallery: nobody is enrolled who did not agree to it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

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


class ClaimedConsents:
    """The consent that is claimed for students: looked at before the work, recorded for those who are enrolled.

    A student whom the database does not know is added when enrolled, not before: a folder without a good photo makes
    nobody a student, and leaves no consent behind.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        claims: Mapping[str, Claim],
        *,
        means: str | None,
        now: datetime | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Consent that is recorded already stays as it is. After a withdrawal only a claim with a later date counts.

        Args:
            sessions: makes sessions of the database.
            claims: for each student what a table says of consent; nothing for those of folders.
            means: by which everybody gave consent; None: nobody said so.
            now: the time to record where a claim has none; None: that of saving.
        """
        self._sessions, self._claims, self._means, self._now = sessions, claims, means, now
        self._before: dict[str, _Standing | None] = {}
        self._refused: dict[str, str] = {}
        self._admitted: set[str] = set()

    def new(self, students: Collection[str]) -> list[str]:
        """Those whom the database does not know and whom enrolling would add.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        with self._sessions() as db:
            known = {student.index_number for student in _students(db, students)}
        return [one for one in students if one not in known and (self._claim(one).consent_means or self._means)]

    def look_at(self, students: Collection[str]) -> Mapping[str, str]:
        """For each student who may not be enrolled, why; nothing is recorded.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: the database is away.
        """
        with self._sessions() as db:
            known = {student.index_number: student for student in _students(db, students)}
            erasing = being_erased(db, students)
            for number in students:
                student = known.get(number)
                self._before[number] = None if student is None else _Standing(student.consent_withdrawn_at)
                reason = _ERASING if number in erasing else _refusal(student, self._claim(number), self._means)
                if reason is not None:
                    self._refused[number] = reason
        return {number: self._refused[number] for number in students if number in self._refused}

    def admit(self, students: Collection[str]) -> Mapping[str, str]:
        """Record the consent of students who are about to be saved; for each who may not be saved any more, why.

        Asked while nobody else can write the store, so that whoever withdraws later finds what is saved.

        Raises:
            ConsentUnknownError: the database went away after `look_at`.
        """
        try:
            with self._sessions.begin() as db:
                begin_writing(db)
                known = {student.index_number: student for student in _students(db, students)}
                refused = {number: why for number in students if (why := self._change(number, known.get(number)))}
                rest = {number: self._claim(number) for number in students if number not in refused}
                refused |= _record(db, rest, known, means=self._means, now=self._now or datetime.now(UTC))
        except sa.exc.SQLAlchemyError as error:
            raise ConsentUnknownError(f"the database went away during the work ({type(error).__name__})") from error
        self._admitted.update(number for number in students if number not in refused)
        return refused

    def _change(self, number: str, student: Student | None) -> str | None:
        """Why a student may not be saved: what `look_at` said, or what happened since."""
        before = self._before.get(number)
        if number in self._refused:
            return self._refused[number]
        if student is None:
            return "the student was deleted meanwhile" if before is not None or number in self._admitted else None
        withdrawn = student.consent_withdrawn_at
        if withdrawn is not None and (before is None or number in self._admitted or withdrawn != before.withdrawn_at):
            return "consent was withdrawn meanwhile"
        return None

    def _claim(self, number: str) -> Claim:
        return self._claims.get(number, Claim())


class _Standing(NamedTuple):
    """What the database said of a student before the work."""

    withdrawn_at: datetime | None


_ERASING = "the student is being erased: enrol again when that is done"


def _record(
    db: Session, claims: Mapping[str, Claim], known: Mapping[str, Student], *, means: str | None, now: datetime
) -> dict[str, str]:
    refused: dict[str, str] = {}
    erasing = being_erased(db, claims)
    for index_number, claim in claims.items():
        student = known.get(index_number)
        reason = _ERASING if index_number in erasing else _refusal(student, claim, means)
        if reason is not None:
            refused[index_number] = reason
            continue
        if student is None:
            student = Student(index_number=index_number, name=claim.name or index_number)
            db.add(student)
        if student.consent_given_at is None or student.consent_withdrawn_at is not None:
            given = claim.consented_at or now
            give_consent(db, student, given_at=given, means=claim.consent_means or means, recorder=BY_COMMAND)
    return refused


def _refusal(student: Student | None, claim: Claim, means: str | None) -> str | None:
    """Why a student may not be enrolled with what is claimed, or None."""
    claimed = claim.consent_means or means
    if student is None:
        return None if claimed else "the database does not know the student, and no consent is recorded"
    if student.consent_withdrawn_at is not None:
        later = claim.consented_at is not None and outlives_withdrawal(claim.consented_at, student.consent_withdrawn_at)
        return None if later and claimed else "consent was withdrawn"
    return None if student.consent_given_at is not None or claimed else "no consent is recorded"


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
