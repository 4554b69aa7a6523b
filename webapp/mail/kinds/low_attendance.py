"""Low attendance: once for each time that a student falls below a course's threshold.

The student is told of it in a mail of the own (data: `course`, `student`), and each lecturer of the course in one about
all who fell below on that day (data: `course`, `students`). Only recorded sessions count.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session, selectinload

from attendance.database.audiences import TAKES_PLACE, sessions_of_courses
from attendance.database.mail import queue_mail
from attendance.database.models import (
    Account,
    AccountRole,
    ClassSession,
    Course,
    Enrolment,
    EventKind,
    LowAttendance,
    QueuedMail,
    Role,
    Student,
)
from attendance.database.outgoing.events import Data, tell
from attendance.database.thresholds import threshold_of
from attendance.database.transactions import inserted
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.kinds.recipients import student_of
from webapp.mail.letters import Button, Item, Letter, Listing, NoLongerWantedError, Paragraph, write_letter
from webapp.records.tallies import Tally, tally_students
from webapp.tools.languages import number, percent_text
from webapp.tools.template_tools import percent

_BEING_TAUGHT = timedelta(days=14)
"""A course without a session for so long is over, or pauses: nobody is told of it."""
_LECTURERS, _STUDENT = "low_attendance", "low_attendance_student"


def courses_being_taught(db: Session, now: datetime) -> Sequence[int]:
    """The ids of the courses that had a session of late."""
    late = sessions_of_courses(
        lambda _: sa.true(), TAKES_PLACE, ClassSession.ends_at > now - _BEING_TAUGHT, ClassSession.ends_at <= now
    )
    return db.scalars(sa.select(late.c.course_id).distinct().order_by(late.c.course_id)).all()


def note_crossings(db: Session, course_id: int, *, fewest_sessions: int, now: datetime, mail: bool = True) -> int:
    """Find who fell below the course's threshold since it was last looked, and tell of it, in one transaction.

    It is told by mail and to webhooks.

    Whoever rises above it again is forgotten, and told of when falling below once more.

    Args:
        db: begun with `begin_writing`.
        course_id: a course.
        fewest_sessions: recorded sessions of a student before anybody is told.
        now: aware.
        mail: whether mail is sent at all.

    Returns:
        How many students fell below.
    """
    course = db.scalar(sa.select(Course).where(Course.id == course_id).options(selectinload(Course.lecturers)))
    if course is None:
        return 0
    below = below_threshold(db, course, fewest_sessions=fewest_sessions)
    known = set(db.scalars(sa.select(LowAttendance.student_id).where(LowAttendance.course_id == course_id)))
    risen = sorted(known - set(below))
    db.execute(
        sa.delete(LowAttendance).where(LowAttendance.course_id == course_id, LowAttendance.student_id.in_(risen))
    )
    fallen = [
        student_id
        for student_id in sorted(set(below) - known)
        if inserted(db, LowAttendance(course_id=course_id, student_id=student_id, noted_at=now))
    ]
    if fallen and mail:
        _queue(db, course, fallen)
    threshold = threshold_of(db, course)
    for student_id in fallen:
        data = _told(course, student_id, below[student_id], threshold)
        tell(db, EventKind.AT_RISK, lambda data=data: data, course_ids=[course_id], now=now)  # type: ignore[misc]
    return len(fallen)


def _told(course: Course, student_id: int, tally: Tally, threshold: int) -> Data:
    """What webhooks are told of a student who fell below; the rate and the threshold in percent."""
    rate = None if tally.rate is None else round(100 * tally.rate, 1)
    counts = {"attended": tally.attended, "expected": tally.expected}
    return {"course": course.id, "student": student_id, "rate": rate, "threshold": threshold, **counts}


def below_threshold(db: Session, course: Course, *, fewest_sessions: int) -> dict[int, Tally]:
    """By id, the students who take a course and are below its threshold, after enough recorded sessions."""
    roster = db.scalars(sa.select(Enrolment.student_id).where(Enrolment.course_id == course.id)).all()
    return _low(db, course, roster, fewest_sessions)


def _low(db: Session, course: Course, student_ids: Collection[int], fewest_sessions: int) -> dict[int, Tally]:
    threshold = threshold_of(db, course)
    return {
        student_id: tally
        for student_id, tally in tally_students(db, student_ids, course.id).items()
        if tally.is_below(threshold) and tally.expected >= fewest_sessions
    }


def _queue(db: Session, course: Course, fallen: list[int]) -> None:
    for lecturer in course.lecturers:
        if lecturer.active:
            data = {"course": course.id, "students": fallen}
            queue_mail(db, kind=_LECTURERS, to=lecturer.email, language=lecturer.language, key=None, data=data)
    for student in db.scalars(sa.select(Student).where(Student.id.in_(fallen)).order_by(Student.id)):
        if student.email:
            data = {"course": course.id, "student": student.id}
            queue_mail(db, kind=_STUDENT, to=student.email, language=student.language, key=None, data=data)


def _render_lecturers(db: Session, mail: QueuedMail) -> Letter:
    if not _teaches(db, mail.recipient, mail.data["course"]):
        raise NoLongerWantedError(english("Whoever has this address does not teach the course any more."))
    course, low = _still_low(db, mail.data["course"], mail.data["students"])
    students = db.scalars(sa.select(Student).where(Student.id.in_(low)).order_by(Student.name, Student.id))
    return _letter_to_lecturer(course, threshold_of(db, course), [(each, low[each.id]) for each in students])


def _render_student(db: Session, mail: QueuedMail) -> Letter:
    student = student_of(db, mail)
    course, low = _still_low(db, mail.data["course"], [student.id])
    return _letter_to_student(course, threshold_of(db, course), student, low[student.id])


def _teaches(db: Session, address: str, course_id: int) -> bool:
    """Whether the names of those who are below may still be told to somebody: a mail may wait for a day."""
    query = sa.select(AccountRole.id).join(Account).where(Account.email == address, Account.active)
    query = query.where(AccountRole.course_id == course_id, AccountRole.role == Role.LECTURER)
    return db.scalar(query) is not None


def _still_low(db: Session, course_id: int, student_ids: list[int]) -> tuple[Course, dict[int, Tally]]:
    course = db.get(Course, course_id)
    if course is None:
        raise NoLongerWantedError(english("The course was deleted."))
    taking = db.scalars(
        sa.select(Enrolment.student_id).where(Enrolment.course_id == course_id, Enrolment.student_id.in_(student_ids))
    ).all()
    low = _low(db, course, taking, 1)
    if not low:
        raise NoLongerWantedError(english("Nobody of these is below the threshold any more."))
    return course, low


def _letter_to_lecturer(course: Course, threshold: int, low: Sequence[tuple[Student, Tally]]) -> Letter:
    return write_letter(
        gettext("Low attendance in %(course)s", course=course.code),
        Paragraph(
            ngettext(
                "In %(course)s one student fell below %(threshold)s:",
                "In %(course)s %(num)s students fell below %(threshold)s:",
                len(low),
                course=f"{course.code} {course.name}",
                threshold=percent_text(threshold),
            )
        ),
        Listing(
            gettext("Students"),
            [
                Item(
                    f"{student.name} ({student.index_number})",
                    _words(tally),
                    url_for("students.history", student_id=student.id, _external=True) if student.id else "",
                )
                for student, tally in low
            ],
        ),
        Paragraph(
            gettext(
                "Only recorded sessions count, and excused ones do not. Each student is named once, until the rate "
                "rises to the threshold and falls again."
            )
        ),
        Button(gettext("Open the course"), _course_address(course)),
        reason=gettext("You get this mail because you teach %(course)s.", course=course.code),
    )


def _letter_to_student(course: Course, threshold: int, student: Student, tally: Tally) -> Letter:
    return write_letter(
        gettext("Your attendance in %(course)s", course=course.code),
        Paragraph(gettext("Hello %(name)s,", name=student.name)),
        Paragraph(
            gettext(
                "your attendance in %(course)s is %(rate)s: %(words)s. %(threshold)s is asked for.",
                course=f"{course.code} {course.name}",
                rate=percent(tally.rate),
                words=_words(tally, rate=False),
                threshold=percent_text(threshold),
            )
        ),
        Paragraph(
            gettext(
                "Only sessions count in which attendance was recorded. If something in the register is wrong, or you "
                "were excused, tell your lecturer."
            )
        ),
        Button(gettext("Open my page"), url_for("me.home", _external=True)),
        reason=gettext("You get this mail because you take %(course)s.", course=course.code),
    )


def _words(tally: Tally, *, rate: bool = True) -> str:
    came = ngettext(
        "%(came)s of %(num)s recorded session",
        "%(came)s of %(num)s recorded sessions",
        tally.expected,
        came=number(tally.credited),
    )
    return f"{percent(tally.rate)}, {came}" if rate else came


def _course_address(course: Course) -> str:
    address = url_for("courses.course", course_id=course.id, _external=True) if course.id else None
    return address or url_for("courses.home", _external=True)


def _example_to_lecturer() -> Letter:
    low = [("Alan Turing", "s100234", 7, 5), ("Grace Hopper", "s100871", 8, 4)]
    rows = [
        (Student(name=name, index_number=number), Tally(present=present, absent=absent))
        for name, number, present, absent in low
    ]
    return _letter_to_lecturer(Course(code="CS101", name="Computing"), 75, rows)


def _example_to_student() -> Letter:
    student = Student(name="Alan Turing", index_number="s100234")
    return _letter_to_student(Course(code="CS101", name="Computing"), 75, student, Tally(present=7, absent=5))


TO_LECTURER = MailKind(
    name=_LECTURERS,
    title=lazy_gettext("Low attendance, to lecturers"),
    occasion=lazy_gettext("To the lecturers of a course, on the day after students fell below its threshold."),
    render=_render_lecturers,
    example=_example_to_lecturer,
)
TO_STUDENT = MailKind(
    name=_STUDENT,
    title=lazy_gettext("Low attendance, to the student"),
    occasion=lazy_gettext("To a student with an address, on the day after falling below a course\u2019s threshold."),
    render=_render_student,
    example=_example_to_student,
)
