"""A student calls an entry wrong; a person answers, and corrects it or leaves it."""

import pytest
import sqlalchemy as sa

from attendance.database.audiences import among
from attendance.database.corrections import EntryChangedError, correct
from attendance.database.entries import history_of
from attendance.database.models import Attendance, Dispute, Source, Status, Unrecorded
from attendance.database.requests.disputes import (
    MOST_OF_AN_ENTRY,
    DisputeError,
    answer_dispute,
    open_disputes,
    raise_dispute,
    take_back_dispute,
)
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student


@pytest.fixture
def absent(db):
    """Two students of a course, one of them absent from a closed session, one with no entry; and the lecturer."""
    lecturer = make_lecturer(db)
    course = make_course(db, lecturers=(lecturer,))
    students = make_student(db), make_student(db)
    enrol(db, course, *students)
    session = make_session(db, course, closed_at=NINE)
    db.add(Attendance(session_id=session.id, student_id=students[0].id, status=Status.ABSENT))
    db.commit()
    return session, *students, lecturer


def wrong(db, session, student, claimed=Status.PRESENT, text="I sat in row 3."):
    return raise_dispute(db, session_id=session.id, student_id=student.id, claimed=claimed, text=text)


def test_accepted_it_is_a_correction_with_the_answer_as_reason(db, absent):
    session, student, _, lecturer = absent
    dispute = wrong(db, session, student, text="  I sat\n in row 3. ")
    assert (dispute.text, dispute.open, dispute.accepted) == ("I sat in row 3.", True, None)
    answer_dispute(db, dispute_id=dispute.id, status=Status.LATE, answer="Came at 9:20.", account_id=lecturer.id)
    entry = db.scalars(sa.select(Attendance)).one()
    assert (entry.status, entry.source) == (Status.LATE, Source.PERSON)
    change = db.scalars(history_of(session.id, student.id)).one()
    assert (change.old_status, change.new_status, change.reason) == (Status.ABSENT, Status.LATE, "Came at 9:20.")
    assert (dispute.open, dispute.accepted, dispute.answer) == (None, True, "Came at 9:20.")
    assert dispute.answered_by.name == lecturer.name


def test_declined_the_entry_stays_and_it_may_be_said_again_so_often(db, absent):
    session, student, _, lecturer = absent
    for number in range(MOST_OF_AN_ENTRY):
        dispute = wrong(db, session, student)
        with pytest.raises(DisputeError, match="already; it waits for an answer"):
            wrong(db, session, student)
        answer_dispute(db, dispute_id=dispute.id, status=None, answer=f"No {number}.", account_id=lecturer.id)
        with pytest.raises(DisputeError, match="answered already"):
            answer_dispute(db, dispute_id=dispute.id, status=None, answer="Again.", account_id=lecturer.id)
    with pytest.raises(DisputeError, match="looked at several times"):
        wrong(db, session, student)
    assert db.scalars(sa.select(Attendance.status)).all() == [Status.ABSENT]
    assert db.scalars(sa.select(Dispute.accepted)).all() == [False] * MOST_OF_AN_ENTRY


def test_the_database_itself_lets_one_be_open(db, absent):
    session, student, _, _ = absent
    row = {"session_id": session.id, "student_id": student.id, "claimed": Status.LATE, "text": "x", "raised_at": NINE}
    for opened in (None, None, True):
        db.execute(sa.insert(Dispute).values(open=opened, **row))
    with pytest.raises(sa.exc.IntegrityError):
        db.execute(sa.insert(Dispute).values(open=True, **row))


def test_what_makes_no_sense_is_refused_with_a_sentence(db, absent):
    session, student, other, lecturer = absent
    open_session = make_session(db, make_course(db))
    db.commit()
    for arguments, sentence in (
        ({"text": " "}, "What you write is empty."),
        ({"text": "x" * 501}, "What you write has 501 characters; at most 500 fit."),
        ({"claimed": Status.ABSENT}, "This is what the register says already."),
        ({"session_id": open_session.id}, "Nothing is recorded of you in this session yet."),
        ({"session_id": 99_999}, "Nothing is recorded of you in this session yet."),
    ):
        given = {"session_id": session.id, "student_id": student.id, "claimed": Status.PRESENT, "text": "x"}
        with pytest.raises(DisputeError) as refused:
            raise_dispute(db, **{**given, **arguments})
        assert str(refused.value) == sentence
    dispute = wrong(db, session, other)  # who has no entry in a closed session may say so
    with pytest.raises(DisputeError, match="The answer is empty"):
        answer_dispute(db, dispute_id=dispute.id, status=None, answer="", account_id=lecturer.id)
    answer_dispute(db, dispute_id=dispute.id, status=Status.PRESENT, answer="So it was.", account_id=lecturer.id)
    statuses = dict(db.execute(sa.select(Attendance.student_id, Attendance.status)).all())
    assert statuses == {student.id: Status.ABSENT, other.id: Status.PRESENT}


def test_an_entry_without_a_status_can_be_called_wrong(db, absent):
    session, _, other, _ = absent
    row = Attendance(session_id=session.id, student_id=other.id, unrecorded_reason=Unrecorded.UNWATCHED)
    db.add(row)
    db.commit()
    assert wrong(db, session, other).open


def test_a_correction_of_what_was_not_looked_at_is_refused_whole(db, absent):
    session, student, _, lecturer = absent
    dispute = wrong(db, session, student)
    who = {"session_id": session.id, "student_id": student.id, "account_id": lecturer.id}
    correct(db, status=Status.EXCUSED, reason="ill", **who)
    with pytest.raises(EntryChangedError):
        answer_dispute(
            db, dispute_id=dispute.id, status=Status.PRESENT, answer="Yes.", account_id=lecturer.id, version=1
        )
    db.expire_all()
    assert (dispute.open, dispute.answer) == (True, None)
    assert db.scalars(sa.select(Attendance.status)).all() == [Status.EXCUSED]


def test_only_its_student_takes_it_back_and_only_courses_in_reach_count_it(db, absent):
    session, student, other, _ = absent
    dispute = wrong(db, session, student)
    other_course = make_course(db)
    db.commit()
    assert [row[:2] for row in db.execute(open_disputes(among([session.course_id])))] == [(session.id, 1)]
    assert db.execute(open_disputes(among([other_course.id]))).all() == []
    assert not take_back_dispute(db, dispute_id=dispute.id, student_id=other.id)
    assert take_back_dispute(db, dispute_id=dispute.id, student_id=student.id)
    assert not take_back_dispute(db, dispute_id=dispute.id, student_id=student.id)
    assert db.execute(open_disputes(among([session.course_id]))).all() == []
