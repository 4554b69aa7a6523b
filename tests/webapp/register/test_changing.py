"""Lecturers move, shorten, extend, cancel and restore their own sessions, with a note."""

from datetime import timedelta

import sqlalchemy as sa

from attendance.database.models import Attendance, ClassSession, utc_now
from attendance.database.register import close_ended_sessions
from tests.factories import make_course, make_lecturer, make_room, make_session
from tests.webapp.lessons import make_lesson, see
from tests.webapp.visiting import plain
from webapp.tools.times import local


def form_of(site, session, **changes):
    with site.app.app_context():
        start, end = local(session.starts_at), local(session.ends_at)
    given = {
        "day": f"{start:%Y-%m-%d}",
        "start": f"{start:%H:%M}",
        "end": f"{end:%H:%M}",
        "room": str(session.room_id),
        "also_in-0": "",
        "note": "",
    }
    return {**given, **changes}


def tomorrow_at_noon():
    return (utc_now() + timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)


def test_a_lecturer_moves_a_session_with_a_note(site, site_db):
    lesson = make_lesson(site_db, starts_at=tomorrow_at_noon())
    aula = make_room(site_db, "Aula")
    site_db.commit()
    visitor, session = site.visitor(lesson.lecturer), lesson.session
    address = f"/sessions/{session.id}/change"
    assert "Move or cancel" in visitor.text(f"/sessions/{session.id}")
    planned = session.planned_at = session.starts_at
    site_db.commit()
    end = session.ends_at + timedelta(minutes=30)
    with site.app.app_context():
        later = f"{local(end):%H:%M}"
    change = {"room": str(aula.id), "end": later, "note": "Guest speaker"}
    answer = visitor.post(address, form_of(site, session, **change))
    assert answer.headers["Location"] == f"/sessions/{session.id}"
    page = visitor.text(answer.headers["Location"])
    assert "Guest speaker" in page
    assert "Aula" in page
    site_db.rollback()
    site_db.expire_all()
    assert (session.room_id, session.ends_at, session.planned_at) == (aula.id, end, planned)
    assert (session.changed_by_id, session.changed_at is not None) == (lesson.lecturer.id, True)
    assert session.note == "Guest speaker"


def test_a_note_alone_is_no_change_of_the_session(site, site_db):
    lesson = make_lesson(site_db, starts_at=tomorrow_at_noon())
    answer = site.visitor(lesson.lecturer).post(
        f"/sessions/{lesson.session.id}/change", form_of(site, lesson.session, note="Bring a laptop")
    )
    assert answer.status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert (lesson.session.note, lesson.session.changed_at) == ("Bring a laptop", None)


def test_a_taken_room_and_what_cannot_be_are_told(site, site_db):
    lesson = make_lesson(site_db, starts_at=tomorrow_at_noon())
    taken = make_room(site_db, "Aula")
    make_session(site_db, make_course(site_db, "XY1"), taken, starts_at=tomorrow_at_noon())
    site_db.commit()
    visitor, address = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}/change"
    for change, message in (
        ({"room": str(taken.id)}, "the room is taken by XY1"),
        ({"also_in-0": str(taken.id)}, "the room is taken by XY1"),
        ({"room": "999999"}, "Choose a room."),
        ({"also_in-0": "nonsense"}, "Choose a room."),
        ({"end": ""}, "Choose when it ends."),
        ({"day": "9999-12-31"}, "This year cannot be meant."),
        ({"note": "x" * 501}, "Note has 501 characters"),
    ):
        answer = visitor.post(address, form_of(site, lesson.session, **change))
        assert (answer.status_code, message in plain(answer.text)) == (422, True), change
    site_db.rollback()
    site_db.expire_all()
    assert lesson.session.changed_at is None


def test_other_lecturers_change_nothing(site, site_db):
    lesson = make_lesson(site_db)
    other = make_lecturer(site_db)
    site_db.commit()
    visitor = site.visitor(other)
    for word in ("change", "cancel", "restore"):
        assert visitor.get(f"/sessions/{lesson.session.id}/{word}").status_code == 404
        assert visitor.post(f"/sessions/{lesson.session.id}/{word}").status_code == 404
    site_db.rollback()
    site_db.expire_all()
    assert not lesson.session.cancelled


def test_a_cancelled_session_is_shown_as_such_and_counts_nowhere(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", "Kurt Gödel", minutes=60)
    see(site_db, lesson, lesson.students[0], minute=1)
    visitor, address = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    answer = visitor.post(f"{address}/cancel", {"reason": "Fire alarm"})
    assert answer.headers["Location"] == address
    page = visitor.text(address)
    assert "This session is cancelled: Fire alarm" in page
    assert "Ada Byron" in page  # what was recorded is not lost
    assert "Kurt Gödel" not in page
    assert "Fire alarm" in visitor.text("/")
    assert "Fire alarm" in visitor.text(f"/courses/{lesson.course.id}")
    assert "Ada Byron" not in visitor.text("/records")
    assert "Attended" not in visitor.text(f"/students/{lesson.students[0].id}")
    assert visitor.get("/records.csv").text.count("\n") == 1
    site_db.rollback()
    site_db.expire_all()
    assert close_ended_sessions(site.sessions, utc_now() + timedelta(days=1)) == 1
    site_db.rollback()
    site_db.expire_all()
    assert [row.student_id for row in site_db.scalars(sa.select(Attendance))] == [lesson.students[0].id]


def test_a_session_that_ended_while_cancelled_is_closed_again_when_it_is_restored(site, site_db):
    lesson = make_lesson(site_db, "Ada Byron", minutes=60)
    visitor, address = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    visitor.post(f"{address}/cancel", {"reason": ""})
    site_db.rollback()
    site_db.expire_all()
    assert "Does not take place" in visitor.text(f"/courses/{lesson.course.id}")
    later = utc_now() + timedelta(days=1)
    assert close_ended_sessions(site.sessions, later) == 1
    assert visitor.post(f"{address}/restore").status_code == 302
    site_db.rollback()
    site_db.expire_all()
    assert (lesson.session.cancelled, lesson.session.closed_at) == (False, None)
    assert close_ended_sessions(site.sessions, later) == 1
    site_db.rollback()
    site_db.expire_all()
    assert len(site_db.scalars(sa.select(Attendance)).all()) == 1


def test_a_session_whose_room_was_taken_meanwhile_is_not_restored(site, site_db):
    lesson = make_lesson(site_db, starts_at=tomorrow_at_noon())
    visitor, address = site.visitor(lesson.lecturer), f"/sessions/{lesson.session.id}"
    visitor.post(f"{address}/cancel", {"reason": "ill"})
    room = site_db.get(ClassSession, lesson.session.id).room
    make_session(site_db, make_course(site_db, "XY1"), room, starts_at=tomorrow_at_noon())
    site_db.commit()
    answer = visitor.post(f"{address}/restore")
    assert (answer.status_code, "the room is taken by XY1" in plain(answer.text)) == (422, True)
    site_db.rollback()
    site_db.expire_all()
    assert lesson.session.cancelled
