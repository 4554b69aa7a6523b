"""What is held, what the machine concludes meanwhile, and what a person's word makes of it."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.corrections import correct
from attendance.database.entries import history_of
from attendance.database.evidence import record_evidence
from attendance.database.held.answers import ACCEPTED, REFUSED, HeldError, answer_held
from attendance.database.held.taking_in import hold_sighting
from attendance.database.held.waiting import held_of_entry, reasons_of, waiting_sightings
from attendance.database.models import (
    Attendance,
    AttendanceEvidence,
    ClassSession,
    Guest,
    HeldReason,
    HeldSighting,
    Origin,
    Source,
    Status,
    Student,
    Unrecorded,
    utc_now,
)
from attendance.database.register import (
    Sighting,
    apply_session_times,
    decide_if_closed,
    record_sighting,
    session_in_force,
)
from attendance.database.transactions import transact
from attendance.database.upkeep.erasure import withdraw
from tests.attendance.database.held.places import LATER, Place, close, make_place
from tests.factories import (
    NINE,
    make_group,
)
from tests.recognition_service.evidences import make_evidence

AT = NINE + timedelta(minutes=3)


@pytest.fixture
def place(sessions: sessionmaker[Session]) -> Place:
    """A session of three students in a room that is watched."""
    return make_place(sessions)


def photo(place: Place, **values) -> Sighting:
    values = {"origin": Origin.LIVE, "held": (HeldReason.COPY_OF_PHOTO,), "index_number": "s1"} | values
    first = values.pop("at", AT)
    return Sighting(place.session, values.pop("index_number"), first, first, 0.9, place.camera, **values)


def hold(sessions: sessionmaker[Session], sighting: Sighting, *, late: bool = False) -> int:
    """As the committer does; the row's id."""

    def work(db: Session) -> int:
        row = hold_sighting(db, sighting, late=late)
        session = session_in_force(db, sighting.session_id)
        assert row is not None
        assert session is not None
        decide_if_closed(db, session)
        return row.id

    with sessions() as db:
        return transact(db, work)


def see(sessions: sessionmaker[Session], sighting: Sighting) -> None:
    with sessions() as db:
        transact(db, lambda db: record_sighting(db, sighting))


def answer(sessions: sessionmaker[Session], place: Place, *held: int, accept: bool = True, **values):
    with sessions() as db:
        return answer_held(db, held, accept=accept, account_id=place.account, **values)


def entry(sessions: sessionmaker[Session], place: Place) -> tuple[Status | None, Unrecorded | None]:
    with sessions() as db:
        row = db.scalars(sa.select(Attendance).where(Attendance.student_id == place.student)).one()
        return row.status, row.unrecorded_reason


def history(sessions: sessionmaker[Session], place: Place) -> list[tuple[int | None, str]]:
    with sessions() as db:
        return [(step.account_id, step.reason) for step in db.scalars(history_of(place.session, place.student))]


def waiting(sessions: sessionmaker[Session], place: Place) -> int:
    with sessions() as db:
        return len(waiting_sightings(db, ClassSession.id == place.session))


def test_nobody_is_absent_while_a_sighting_is_held(sessions: sessionmaker[Session], place: Place) -> None:
    hold(sessions, photo(place))
    close(sessions)
    assert entry(sessions, place) == (None, Unrecorded.HELD)
    with sessions() as db:
        others = db.scalars(sa.select(Attendance.status).where(Attendance.student_id != place.student)).all()
    assert others == [Status.ABSENT, Status.ABSENT]
    assert waiting(sessions, place) == 1


def test_the_same_comes_of_a_sighting_that_arrives_after_the_end(sessions: sessionmaker[Session], place: Place) -> None:
    close(sessions)
    assert entry(sessions, place) == (Status.ABSENT, None)
    hold(sessions, photo(place))  # live, and the database was away
    assert entry(sessions, place) == (None, Unrecorded.HELD)


def test_accepted_it_counts_as_if_it_had_been_observed(sessions: sessionmaker[Session], place: Place) -> None:
    with sessions.begin() as db:
        make_evidence_row = make_evidence(place.session, camera_id=place.camera, first_frame_at=AT, last_frame_at=AT)
        record_evidence(db, make_evidence_row, held=True)
    held = hold(sessions, photo(place))
    close(sessions)
    done = answer(sessions, place, held, answer="  I saw \n her. ")
    assert ([row.id for row in done.rows], done.stayed, done.nowhere) == ([held], set(), set())
    with sessions() as db:
        row = db.scalars(sa.select(Attendance).where(Attendance.student_id == place.student)).one()
        assert (row.status, row.source, row.first_seen, row.camera_id) == (
            Status.PRESENT, Source.MACHINE, AT, place.camera,
        )  # fmt: skip
        (kept,) = held_of_entry(db, place.session, place.student)
        assert (kept.accepted, kept.answer, kept.answered_by_id) == (True, "I saw her.", place.account)
        assert db.scalars(sa.select(AttendanceEvidence.held)).all() == [False]
    assert history(sessions, place)[0] == (place.account, ACCEPTED)
    assert waiting(sessions, place) == 0


def test_accepted_while_the_session_runs_it_makes_the_entry(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place, at=NINE + timedelta(minutes=30)))
    answer(sessions, place, held)
    assert entry(sessions, place) == (Status.LATE, None)
    assert history(sessions, place) == [(place.account, ACCEPTED)]
    longer = photo(place, at=NINE + timedelta(minutes=40))
    assert hold(sessions, longer) == held  # what comes of it later counts at once
    with sessions() as db:
        assert db.scalars(sa.select(Attendance.last_seen)).one() == longer.last_seen
    close(sessions)
    assert entry(sessions, place) == (Status.LATE, None)


def test_refused_it_counts_for_nothing(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place))
    close(sessions)
    answer(sessions, place, held, accept=False)
    assert entry(sessions, place) == (Status.ABSENT, None)
    assert history(sessions, place)[0] == (place.account, REFUSED)
    assert hold(sessions, photo(place, held=(HeldReason.SCREEN,), at=AT + timedelta(minutes=1))) == held
    assert entry(sessions, place) == (Status.ABSENT, None)  # and stays refused
    assert waiting(sessions, place) == 0
    with sessions() as db:
        (row,) = held_of_entry(db, place.session, place.student)
        assert reasons_of(row) == (HeldReason.COPY_OF_PHOTO, HeldReason.SCREEN)


def test_nobody_is_asked_of_who_was_seen(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place))
    see(sessions, photo(place, held=(), at=AT + timedelta(minutes=1)))
    assert waiting(sessions, place) == 0
    close(sessions)
    assert entry(sessions, place) == (Status.PRESENT, None)
    before = len(history(sessions, place))
    answer(sessions, place, held)  # said all the same, and kept
    assert history(sessions, place)[0] == (place.account, ACCEPTED)
    assert len(history(sessions, place)) == before + 1


def test_what_a_person_decided_stays(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place))
    with sessions() as db:
        correct(
            db, session_id=place.session, student_id=place.student, status=Status.ABSENT, reason="a photo",
            account_id=place.account,
        )  # fmt: skip
    assert waiting(sessions, place) == 0
    done = answer(sessions, place, held)
    assert done.stayed == {place.student}
    assert entry(sessions, place) == (Status.ABSENT, None)


def test_late_frames_take_no_absence_back(sessions: sessionmaker[Session], place: Place) -> None:
    close(sessions)
    held = hold(sessions, photo(place, origin=Origin.KEPT, held=(HeldReason.LATE,)), late=True)
    assert entry(sessions, place) == (Status.ABSENT, None)
    assert waiting(sessions, place) == 1
    answer(sessions, place, held)
    assert entry(sessions, place) == (Status.PRESENT, None)


def test_late_frames_that_say_earlier_are_asked_about(sessions: sessionmaker[Session], place: Place) -> None:
    see(sessions, photo(place, held=(), at=NINE + timedelta(minutes=30)))
    close(sessions)
    assert entry(sessions, place) == (Status.LATE, None)
    held = hold(sessions, photo(place, origin=Origin.KEPT, held=(HeldReason.LATE,)), late=True)
    with sessions() as db:
        assert [row.id for row in waiting_sightings(db, ClassSession.id == place.session)] == [held]
    answer(sessions, place, held)
    assert entry(sessions, place) == (Status.PRESENT, None)


def test_it_is_answered_once(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place))
    answer(sessions, place, held, accept=False)
    with pytest.raises(HeldError, match="answered this already"):
        answer(sessions, place, held)
    with pytest.raises(HeldError, match="has 501 characters"):
        answer(sessions, place, held, answer="x" * 501)
    close(sessions)
    assert entry(sessions, place) == (Status.ABSENT, None)


def test_a_session_that_was_moved_asks_nothing(sessions: sessionmaker[Session], place: Place) -> None:
    held = hold(sessions, photo(place))
    with sessions() as db:

        def move(db: Session) -> None:
            session = db.get_one(ClassSession, place.session)
            session.starts_at, session.ends_at = LATER, LATER + timedelta(hours=1)
            apply_session_times(db, session, now=NINE)

        transact(db, move)
    assert waiting(sessions, place) == 0
    assert answer(sessions, place, held).nowhere == {place.student}


def test_somebody_of_another_group_becomes_a_guest(sessions: sessionmaker[Session], place: Place) -> None:
    with sessions.begin() as db:
        session = db.get_one(ClassSession, place.session)
        other = db.scalars(sa.select(Student).where(Student.index_number == "s2")).one()
        session.group_id = make_group(db, session.course, members=(other,)).id
    held = hold(sessions, photo(place))
    answer(sessions, place, held)
    with sessions() as db:
        assert db.scalars(sa.select(Guest.student_id)).all() == [place.student]
        assert db.scalar(sa.select(Attendance)) is None


def test_a_withdrawal_leaves_nothing_of_it(sessions: sessionmaker[Session], place: Place) -> None:
    hold(sessions, photo(place))
    assert withdraw(sessions, "s1", now=utc_now())
    with sessions() as db:
        assert db.scalar(sa.select(HeldSighting)) is None
    with sessions() as db, db.begin():
        assert hold_sighting(db, photo(place), late=False) is None


def test_a_sighting_without_a_reason_is_a_mistake(sessions: sessionmaker[Session], place: Place) -> None:
    with sessions() as db, pytest.raises(ValueError, match="without a reason"):
        hold_sighting(db, photo(place, held=()), late=False)
