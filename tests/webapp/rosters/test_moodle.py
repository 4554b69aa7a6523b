"""Files for Moodle's Attendance plugin, read as the plugin reads them."""

import csv
import io
from datetime import timedelta

from sqlalchemy.orm import Session

from attendance.database.models import Attendance, SessionState, Source, Status, utc_now
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from tests.webapp.lessons import LONG_AGO
from tests.webapp.visiting import Site

PLACES = {"course": 0, "groups": 1, "sessiondate": 2, "from": 3, "to": 4, "description": 5, "studentscanmark": 9}
"""Where the plugin looks for each, unless it is told otherwise (mod_attendance, classes/import/sessions.php)."""


def test_sessions_of_a_course(site: Site, site_db: Session) -> None:
    ada = make_lecturer(site_db)
    course = make_course(site_db, "MAT101", lecturers=(ada,))
    monday, tuesday = make_group(site_db, course, "Monday"), make_group(site_db, course, "Tue; late")
    hall = make_room(site_db, "Hall A")
    make_session(site_db, course, hall, starts_at=LONG_AGO, ends_at=LONG_AGO + timedelta(minutes=90))
    of_group = make_session(site_db, course, hall, group=monday, starts_at=LONG_AGO + timedelta(days=1))
    of_group.ends_at = of_group.starts_at + timedelta(hours=2)
    cancelled = make_session(site_db, course, hall, group=tuesday, starts_at=LONG_AGO + timedelta(days=2))
    cancelled.state = SessionState.CANCELLED
    site_db.commit()
    answer = site.visitor(ada).get(f"/courses/{course.id}/moodle-sessions.csv")
    header, *rows = csv.reader(io.StringIO(answer.data.decode()))
    assert len(header) == 20
    assert [[row[place] for place in PLACES.values()] for row in rows] == [
        ["MAT101", "", "2024-03-04", "09:00", "10:30", "Hall A", "0"],
        ["MAT101", "Monday", "2024-03-05", "09:00", "11:00", "Hall A", "0"],
    ]
    assert all(len(row) == len(header) for row in rows)


def test_marks_of_a_session(site: Site, site_db: Session) -> None:
    ada = make_lecturer(site_db)
    course = make_course(site_db, "MAT101", lecturers=(ada,))
    session = make_session(site_db, course, starts_at=utc_now() - timedelta(days=1))
    statuses = (*Status, None)
    for number, status in enumerate(statuses):
        student = make_student(site_db, f"=1000{number}")
        enrol(site_db, course, student)
        site_db.add(Attendance(session_id=session.id, student_id=student.id, status=status, source=Source.PERSON))
    site_db.commit()
    visitor = site.visitor(ada)
    text = visitor.get(f"/sessions/{session.id}/moodle.csv").data.decode()
    header, *rows = csv.reader(io.StringIO(text))
    assert header == ["user", "scantime", "status"]
    letters = {Status.PRESENT: "P", Status.LATE: "L", Status.ABSENT: "A", Status.EXCUSED: "E"}
    assert rows == [[f"=1000{number}", "", letters[status]] for number, status in enumerate(Status)]
    page = visitor.get(f"/courses/{course.id}/moodle").text
    assert f'href="/sessions/{session.id}/moodle.csv"' in page
    assert f'href="/courses/{course.id}/moodle-sessions.csv"' in page
