"""Statuses of an institution's or a course's own, on SQLite and on MariaDB."""

import pytest
import sqlalchemy as sa

from attendance.database.bulk import WantedEntry, correct_many, decide_many, undo
from attendance.database.corrections import correct, give_back, set_remark
from attendance.database.entries import history_of
from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.labels import (
    LabelError,
    LabelFault,
    LabelGoneError,
    LabelValues,
    add_label,
    bring_back_label,
    change_label,
    labels_for,
    remove_label,
    used_labels,
)
from attendance.database.models import Attendance, LabelColour, Source, Status, StatusLabel
from attendance.database.register import Sighting, close_ended_sessions, record_sighting
from tests.factories import NINE, enrol, make_course, make_lecturer, make_session, make_student, watch_whole

ONLINE = LabelValues(Status.PRESENT, "Online", "O", LabelColour.BLUE, 0.5)
MEDICAL = LabelValues(Status.EXCUSED, "Medical", "M", LabelColour.PINK)


@pytest.fixture
def room(db):
    """A session of a course with two students, one of them seen; ids of session, students, lecturer and course."""
    course = make_course(db)
    students = [make_student(db, f"s{n}") for n in range(2)]
    enrol(db, course, *students)
    session, lecturer = make_session(db, course), make_lecturer(db)
    watch_whole(db, session)
    assert record_sighting(db, Sighting(session.id, "s0", NINE, NINE, 0.9, None))
    db.commit()
    return session.id, [student.id for student in students], lecturer.id, course.id


def shown(db, session_id):
    db.rollback()
    db.expire_all()
    rows = db.scalars(sa.select(Attendance).where(Attendance.session_id == session_id).order_by(Attendance.student_id))
    return [(row.status, row.label.name if row.label else None, row.source) for row in rows]


def set_one(db, room, status, label_id, student=0, **words):
    session, students, lecturer, _ = room
    words = {"reason": "from home", "account_id": lecturer} | words
    return correct(db, session_id=session, student_id=students[student], status=status, label_id=label_id, **words)


def test_a_person_gives_a_label_and_the_history_keeps_it(db, room):
    session, students, *_ = room
    online = add_label(db, ONLINE, course_id=None).id
    set_one(db, room, Status.PRESENT, online)
    assert shown(db, session) == [(Status.PRESENT, "Online", Source.PERSON)]
    set_one(db, room, Status.LATE, None)
    assert shown(db, session) == [(Status.LATE, None, Source.PERSON)]
    last, first = db.scalars(history_of(session, students[0])).all()
    assert (first.old_label, first.new_label.name) == (None, "Online")
    assert (last.old_label.name, last.new_label) == ("Online", None)


def test_the_same_sent_twice_is_one_change_and_another_label_is_another(db, room):
    session, students, *_ = room
    online = add_label(db, ONLINE, course_id=None).id
    for _ in range(2):
        assert set_one(db, room, Status.PRESENT, online, version=1).version == 2
    assert set_one(db, room, Status.PRESENT, None, version=2).version == 3
    assert len(db.scalars(history_of(session, students[0])).all()) == 2


def test_the_label_goes_when_the_machine_decides_and_stays_beside_a_remark_and_a_sighting(db, sessions, room):
    session, students, lecturer, _ = room
    online = add_label(db, ONLINE, course_id=None).id
    set_one(db, room, Status.PRESENT, online)
    set_remark(db, session_id=session, student_id=students[0], remark="on a train", account_id=lecturer)
    record_sighting(db, Sighting(session, "s0", NINE, NINE, 0.95, None))
    db.commit()
    assert shown(db, session) == [(Status.PRESENT, "Online", Source.PERSON)]
    give_back(db, session_id=session, student_id=students[0], account_id=lecturer)
    assert shown(db, session) == [(Status.PRESENT, None, Source.MACHINE)]
    assert close_ended_sessions(sessions, NINE.replace(hour=12)) == 1
    assert shown(db, session)[1] == (Status.ABSENT, None, Source.MACHINE)


def test_an_excuse_leaves_what_a_person_decided(db, sessions, room):
    session, students, lecturer, _ = room
    medical = add_label(db, MEDICAL, course_id=None).id
    set_one(db, room, Status.EXCUSED, medical, student=1)
    close_ended_sessions(sessions, NINE.replace(hour=12))
    until = NINE.replace(hour=12)
    give_excuse(db, NewExcuse(students[1], None, NINE, until, "ill"), account_id=lecturer)
    assert shown(db, session)[1] == (Status.EXCUSED, "Medical", Source.PERSON)


def test_many_are_given_labels_and_undone_to_the_labels_before(db, room):
    session, students, lecturer, course = room
    online, medical = add_label(db, ONLINE, course_id=course).id, add_label(db, MEDICAL, course_id=None).id
    set_one(db, room, Status.PRESENT, online)
    wanted = {students[0]: WantedEntry(2, Status.EXCUSED, medical), students[1]: WantedEntry(0, Status.PRESENT, online)}
    words = {"session_id": session, "reason": "strike", "account_id": lecturer}
    done = decide_many(db, wanted=wanted, **words)
    assert [name for _, name, _ in shown(db, session)] == ["Medical", "Online"]
    assert decide_many(db, wanted=wanted, **words).batch == done.batch  # sent twice
    undone = undo(db, session_id=session, batch=done.batch or "", account_id=lecturer)
    assert undone.changed == tuple(students)
    assert shown(db, session) == [(Status.PRESENT, "Online", Source.PERSON)]


@pytest.mark.parametrize("why", ["deleted", "retired", "another kind", "another course"])
def test_a_label_that_is_not_offered_is_refused_and_nothing_changes(db, room, why):
    session, students, lecturer, _ = room
    course_id = make_course(db).id if why == "another course" else None
    db.commit()
    label = add_label(db, ONLINE, course_id=course_id).id
    status = Status.LATE if why == "another kind" else Status.PRESENT
    if why == "retired":
        set_one(db, room, Status.PRESENT, label)
    if why in ("deleted", "retired"):
        remove_label(db, label, course_id=None)
    before = shown(db, session)
    with pytest.raises(LabelGoneError, match="deleted or retired meanwhile"):
        set_one(db, room, status, label, student=1)
    versions = dict.fromkeys(students, 0)
    words = {"session_id": session, "reason": "strike", "account_id": lecturer}
    with pytest.raises(LabelGoneError):
        correct_many(db, versions=versions, status=status, label_id=label, **words)
    assert shown(db, session) == before


def test_one_in_use_is_retired_and_brought_back_and_one_that_never_was_is_deleted(db, room):
    session, *_ = room
    online, medical = (add_label(db, values, course_id=None).id for values in (ONLINE, MEDICAL))
    set_one(db, room, Status.PRESENT, online)
    set_one(db, room, Status.LATE, None)  # only the history has the label now
    assert used_labels(db, [online, medical]) == {online}
    assert remove_label(db, online, course_id=None).retired_at is not None
    assert remove_label(db, medical, course_id=None) is None
    assert [label.id for label in labels_for(db, [])] == []
    assert [label.id for label in labels_for(db, [], retired=True)] == [online]
    bring_back_label(db, online, course_id=None)
    set_one(db, room, Status.PRESENT, online)
    assert shown(db, session) == [(Status.PRESENT, "Online", Source.PERSON)]
    with pytest.raises(LabelGoneError):
        remove_label(db, medical, course_id=None)


def test_a_course_sees_its_own_and_the_institutions_by_kind_and_name(db):
    one, two = make_course(db).id, make_course(db).id
    db.commit()
    add_label(db, MEDICAL, course_id=None)
    add_label(db, ONLINE, course_id=one)
    add_label(db, LabelValues(Status.PRESENT, "Abroad", "B", LabelColour.TEAL), course_id=one)
    add_label(db, ONLINE, course_id=two)  # the other course does not see it
    assert [label.name for label in labels_for(db, [one])] == ["Abroad", "Online", "Medical"]
    assert [label.name for label in labels_for(db, [])] == ["Medical"]


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (LabelValues(Status.LATE, "online", "X", LabelColour.RED), LabelFault.NAME),
        (LabelValues(Status.LATE, "Tram", "o", LabelColour.RED), LabelFault.LETTER),
        (LabelValues(Status.LATE, "Tram", "a", LabelColour.RED), LabelFault.LETTER),
        (LabelValues(Status.LATE, "Present", "X", LabelColour.RED), LabelFault.NAME),
        (LabelValues(Status.LATE, " ", "X", LabelColour.RED), LabelFault.NAME),
        (LabelValues(Status.LATE, "Tram\N{RIGHT-TO-LEFT OVERRIDE}", "X", LabelColour.RED), LabelFault.NAME),
        (LabelValues(Status.LATE, "T" * 41, "X", LabelColour.RED), LabelFault.NAME),
        (LabelValues(Status.LATE, "Tram", "XYZ", LabelColour.RED), LabelFault.LETTER),
        (LabelValues(Status.LATE, "Tram", "X", LabelColour.RED, 1.01), LabelFault.WEIGHT),
    ],
)
@pytest.mark.parametrize("first_of_course", [True, False])
def test_within_what_a_course_sees_names_and_letters_are_told_apart(db, values, fault, first_of_course):
    course = make_course(db).id
    db.commit()
    owners = (course, None) if first_of_course else (None, course)
    add_label(db, ONLINE, course_id=owners[0])
    with pytest.raises(LabelError) as refused:
        add_label(db, values, course_id=owners[1])
    assert refused.value.fault is fault
    assert db.scalar(sa.select(sa.func.count()).select_from(StatusLabel)) == 1


def test_it_can_be_renamed_and_weighed_anew_but_in_use_its_kind_stays(db, room):
    online = add_label(db, ONLINE, course_id=None).id
    late = LabelValues(Status.LATE, "Remote", "R", LabelColour.TEAL, 0.25)
    assert change_label(db, online, late, course_id=None).kind is Status.LATE
    set_one(db, room, Status.LATE, online)
    with pytest.raises(LabelError, match="what it stands for stays") as refused:
        change_label(db, online, ONLINE, course_id=None)
    assert refused.value.fault is LabelFault.KIND
    again = LabelValues(Status.LATE, "At home", "R", LabelColour.TEAL, 0.75)
    assert change_label(db, online, again, course_id=None).weight == 0.75
    assert shown(db, room[0]) == [(Status.LATE, "At home", Source.PERSON)]


def test_a_deleted_course_takes_its_labels_and_entries_of_a_joint_session_keep_their_status(db):
    kept, gone = make_course(db), make_course(db)
    student, lecturer = make_student(db), make_lecturer(db)
    enrol(db, kept, student)
    session = make_session(db, kept, also_for=(gone,))
    db.commit()
    room = (session.id, [student.id], lecturer.id, kept.id)
    set_one(db, room, Status.PRESENT, add_label(db, ONLINE, course_id=gone.id).id)
    db.execute(sa.text("DELETE FROM course WHERE id = :id"), {"id": gone.id})
    db.commit()
    assert db.scalars(sa.select(StatusLabel)).all() == []
    assert shown(db, session.id) == [(Status.PRESENT, None, Source.PERSON)]
