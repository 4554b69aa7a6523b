"""What is held in a session, on its register and in its entries: shown with its reason, accepted, refused."""

import pytest
import sqlalchemy as sa

from attendance.database.models import (
    Attendance,
    HeldObservation,
    HeldReason,
    HeldSighting,
    SessionAudience,
    Status,
    Unrecorded,
    utc_now,
)
from attendance.database.register import close_ended_sessions
from tests.factories import enrol, make_camera, make_course, make_lecturer, make_student
from tests.webapp.holding import hold, keep
from tests.webapp.lessons import LONG_AGO, make_lesson, see

PHOTO, STILL = HeldReason.COPY_OF_PHOTO, HeldReason.NO_VARIANCE


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", starts_at=LONG_AGO)


@pytest.fixture
def camera(site_db):
    camera = make_camera(site_db, name="Front")  # stands elsewhere: the room is watched by its own
    site_db.commit()
    return camera


def register_of(lesson) -> str:
    return f"/sessions/{lesson.session.id}"


def ids(db, table=HeldSighting):
    return list(db.scalars(sa.select(table.id).order_by(table.id)))


def answer(site, lesson, how, *sightings, minutes=(), who=None, follow_redirects=False, **data):
    form = {"answer": how, "sighting": [str(one) for one in sightings], "minutes": [str(one) for one in minutes]}
    visitor = site.visitor(who or lesson.lecturer)
    return visitor.post(f"{register_of(lesson)}/held", form | data, follow_redirects=follow_redirects)


def entry(db, student):
    db.rollback()
    return db.execute(
        sa.select(Attendance.status, Attendance.unrecorded_reason).where(Attendance.student_id == student.id)
    ).one()


def test_shows_what_is_held_with_its_reason(site, site_db, lesson, camera):
    hold(site_db, lesson, lesson.students[0], camera, STILL)
    close_ended_sessions(site.sessions, utc_now())
    page = site.visitor(lesson.lecturer).text(register_of(lesson))
    assert "Held for a person's word 1" in page
    assert "The face did not change as a living one does. Front; says: seen Mon 4 Mar 2024, 09:03; came " in page
    assert "Not recorded : a sighting was held, and nobody has accepted it" in page
    assert "Held sighting of Ada Byron: answer" in page  # on the row
    assert page.count("Absent") >= 2
    only = site.visitor(lesson.lecturer).get(f"{register_of(lesson)}?state=held").text
    assert 'data-key="unrecorded"' in only
    assert only.count("<tr id=") == 1


@pytest.mark.parametrize(("how", "becomes"), [("accept", Status.PRESENT), ("refuse", Status.ABSENT)])
def test_one_click_answers(site, site_db, lesson, camera, how, becomes):  # noqa: PLR0917 - a table's columns
    hold(site_db, lesson, lesson.students[0], camera, PHOTO)
    close_ended_sessions(site.sessions, utc_now())
    assert entry(site_db, lesson.students[0]) == (None, Unrecorded.HELD)
    done = answer(site, lesson, how, *ids(site_db), follow_redirects=True, reason=" I was  there. ")
    assert {"accept": "1 sighting is accepted.", "refuse": "1 sighting is refused."}[how] in done.text
    assert "Held for a person" not in done.text.split("<main", 1)[1]
    assert entry(site_db, lesson.students[0]) == (becomes, None)
    page = site.visitor(lesson.lecturer).text(f"{register_of(lesson)}/students/{lesson.students[0].id}")
    assert "The face was as good as identical to an enrolment photo." in page
    assert f"{lesson.lecturer.name}, " in page
    assert ": I was there." in page
    again = answer(site, lesson, how, *ids(site_db), follow_redirects=True)
    assert "Somebody has answered this already." in again.text


def test_an_entry_has_the_same_buttons(site, site_db, lesson, camera):
    hold(site_db, lesson, lesson.students[0], camera, PHOTO, STILL)
    see(site_db, lesson, lesson.students[0])  # nobody is asked any more, and whoever wants to may answer
    visitor = site.visitor(lesson.lecturer)
    assert "Held for a person's word" not in visitor.text(register_of(lesson))
    page = visitor.text(f"{register_of(lesson)}/students/{lesson.students[0].id}")
    assert "Held sightings Held The face was as good as identical" in page
    assert "Accept : Ada Byron Refuse : Ada Byron" in page


def test_what_a_camera_had_kept_is_accepted_in_one(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", starts_at=LONG_AGO)
    other = make_camera(site_db, name="Back", room=lesson.session.room)  # the room has a second one, which is dead
    site_db.commit()
    close_ended_sessions(site.sessions, utc_now())
    keep(site_db, lesson, other, *lesson.students[:2], minutes=range(-10, 90))
    visitor = site.visitor(lesson.lecturer)
    page = visitor.text(register_of(lesson))
    assert "Held for a person's word 3" in page
    assert "Kept by Back It shows 2 students. It watched 90 minutes" in page
    assert "Says: Mon 4 Mar 2024, 09:00\u201310:29; came " in page
    assert ", after the end Accept all : what Back had kept" in page
    assert entry(site_db, lesson.students[2]) == (None, Unrecorded.UNWATCHED)
    done = answer(site, lesson, "accept", *ids(site_db), minutes=ids(site_db, HeldObservation), follow_redirects=True)
    assert "2 sightings are accepted." in done.text
    assert [entry(site_db, one) for one in lesson.students] == [
        (Status.PRESENT, None), (Status.PRESENT, None), (Status.ABSENT, None),
    ]  # fmt: skip


def test_the_machine_undoes_no_person(site, site_db, lesson, camera):
    hold(site_db, lesson, lesson.students[0], camera, PHOTO)
    visitor = site.visitor(lesson.lecturer)
    path = f"{register_of(lesson)}/students/{lesson.students[0].id}"
    assert visitor.post(path, {"status": "absent", "reason": "a photo"}).status_code == 302
    done = answer(site, lesson, "accept", *ids(site_db), follow_redirects=True)
    assert "1 entry stays what a person had decided." in done.text
    assert entry(site_db, lesson.students[0]) == (Status.ABSENT, None)


def test_only_who_may_correct_answers_and_only_of_the_session(site, site_db, lesson, camera):
    hold(site_db, lesson, lesson.students[0], camera, PHOTO)
    other = make_lesson(site_db, "Emmy Noether", starts_at=LONG_AGO)
    (held,) = ids(site_db)
    assert answer(site, lesson, "accept", held, who=other.lecturer).status_code == 404
    assert answer(site, other, "accept", held).status_code == 404
    assert answer(site, lesson, "accept", 4711).status_code == 404
    assert answer(site, lesson, "accept").status_code == 400
    assert answer(site, lesson, "maybe", held).status_code == 400
    site_db.rollback()
    assert site_db.scalars(sa.select(HeldSighting.accepted)).one() is None
    assert answer(site, lesson, "accept", held, next="//elsewhere.example").location == f"{register_of(lesson)}#held"


def test_of_a_joint_session_everybody_sees_and_answers_the_own_students(site, site_db, lesson, camera):
    second = make_lecturer(site_db)
    course = make_course(site_db, "LAW1", lecturers=(second,))
    theirs = make_student(site_db, name="Hugo Grotius")
    enrol(site_db, course, theirs)
    lesson.session.further_audiences = [SessionAudience(course_id=course.id)]
    site_db.commit()
    hold(site_db, lesson, lesson.students[0], camera, PHOTO)
    hold(site_db, lesson, theirs, camera, PHOTO)
    first, last = ids(site_db)
    page = site.visitor(second).text(register_of(lesson))
    assert "Held for a person's word 1" in page
    assert "Ada Byron" not in page
    assert answer(site, lesson, "accept", first, who=second).status_code == 404
    assert answer(site, lesson, "accept", last, who=second).status_code == 302


def test_a_cancelled_session_asks_nothing(site, site_db, lesson, camera):
    hold(site_db, lesson, lesson.students[0], camera, PHOTO)
    visitor = site.visitor(lesson.lecturer)
    assert visitor.post(f"{register_of(lesson)}/cancel", {"reason": "ill"}).status_code == 302
    assert "Held for a person's word" not in visitor.text(register_of(lesson))
