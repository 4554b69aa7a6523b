"""Files for Moodle's Attendance plugin, read as the plugin reads them."""

import csv
import io
from datetime import timedelta

from sqlalchemy.orm import Session

from attendance.database.models import Attendance, SessionState, Source, Status, utc_now
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from tests.webapp.lessons import LONG_AGO
from tests.webapp.visiting import Site

HEADERS = {
    "course": "Course shortname", "groups": "Groups", "sessiondate": "Date", "from": "from:", "to": "to:",
    "description": "Description", "repeaton": "Repeat on", "repeatevery": "Repeat every",
    "repeatuntil": "Repeat until", "studentscanmark": "Allow students to record own attendance",
    "allowupdatestatus": "Allow students to update own attendance", "passwordgrp": "Student password",
    "randompassword": "Random password", "subnet": "Subnet", "automark": "Automatic marking",
    "autoassignstatus": "Automatically select highest status available", "absenteereport": "Absentee report",
    "preventsharedip": "Prevent students sharing IP address",
    "preventsharediptime": "Time to allow re-use of IP address (minutes)",
    "calendarevent": "Create calendar event for session", "includeqrcode": "Include QR code",
    "rotateqrcode": "Rotate QR code", "studentsearlyopentime": "Open session early for marking",
}  # fmt: skip
"""Where the plugin looks for each and how it calls it: `read_mapping_data` and `list_required_headers` of
classes/import/sessions.php, with lang/en/attendance.php, of mod_attendance 2023041800 (version 2024020500)."""
ELSE = {
    "studentscanmark": "0", "allowupdatestatus": "0", "randompassword": "0", "automark": "0", "autoassignstatus": "0",
    "absenteereport": "1", "preventsharedip": "0", "calendarevent": "1", "includeqrcode": "0", "rotateqrcode": "0",
    "studentsearlyopentime": "0",
}  # fmt: skip
"""What each session says beside; what is not named is empty."""


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
    assert header == list(HEADERS.values())
    assert [row[:6] for row in rows] == [
        ["MAT101", "", "2024-03-04", "09:00", "10:30", "Hall A"],
        ["MAT101", "Monday", "2024-03-05", "09:00", "11:00", "Hall A"],
    ]
    for row in rows:
        read = dict(zip(HEADERS, row, strict=True))
        assert {name: read[name] for name in list(HEADERS)[6:]} == dict.fromkeys(list(HEADERS)[6:], "") | ELSE


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
    assert header == ["idnumber", "scantime", "status"], "by these the plugin's form chooses its fields itself"
    letters = {Status.PRESENT: "P", Status.LATE: "L", Status.ABSENT: "A", Status.EXCUSED: "E"}
    assert rows == [[f"=1000{number}", "", letters[status]] for number, status in enumerate(Status)]
    page = visitor.get(f"/courses/{course.id}/moodle").text
    assert f'href="/sessions/{session.id}/moodle.csv"' in page
    assert f'href="/courses/{course.id}/moodle-sessions.csv"' in page
