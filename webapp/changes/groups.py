"""A course's groups, and who is in each."""

import sqlalchemy as sa
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.models import (
    AuditAction,
    ClassSession,
    Course,
    CourseGroup,
    CourseGroupMember,
    Enrolment,
    SessionAudience,
    Student,
)
from webapp.account.noting import noted
from webapp.changes.errors import ChangeError, refuse_taken, unless_meanwhile
from webapp.tools.storage import count_rows


def add_group(db: Session, course: Course, name: str) -> CourseGroup:
    """Add a group to a course.

    Raises:
        ChangeError: the course has one of this name, or was deleted meanwhile.
    """
    refuse_taken(db, "name", CourseGroup.name, name, _taken(), CourseGroup.course_id == course.id)
    group, code = CourseGroup(course_id=course.id, name=name), course.code
    with unless_meanwhile(db, "name", _taken()):
        db.add(group)
        noted(AuditAction.GROUP_ADDED, subject=code, details={"group": name})
    return group


def change_group(db: Session, group: CourseGroup, name: str) -> CourseGroup:
    """Give a group another name.

    Raises:
        ChangeError: another group of the course has it.
    """
    before = group.name
    if name == before:
        return group
    refuse_taken(db, "name", CourseGroup.name, name, _taken(), CourseGroup.course_id == group.course_id, but=group.id)
    code = group.course.code
    with unless_meanwhile(db, "name", _taken()):
        group.name = name
        noted(AuditAction.GROUP_CHANGED, subject=code, details={"group": name, "before": before})
    return group


def why_group_stays(db: Session, group: CourseGroup) -> str | None:
    """Why a group cannot be deleted; None: it can."""
    sessions = sum(count_rows(db, model, model.group_id == group.id) for model in (ClassSession, SessionAudience))
    words = ngettext(
        "%(num)s session of the timetable, past ones included, took or will take place for it. A group can be "
        "deleted once no session is for it.",
        "%(num)s sessions of the timetable, past ones included, took or will take place for it. A group can be "
        "deleted once no session is for it.",
        sessions,
    )
    return words if sessions else None


def delete_group(db: Session, group: CourseGroup) -> None:
    """Delete a group that no session is for; its students still take the course.

    Raises:
        ChangeError: a session is for it.
    """
    code, name, group_id = group.course.code, group.name, group.id
    words = gettext("The group %(name)s is not deleted: a session is for it.", name=name)
    if why_group_stays(db, group) is not None:
        raise ChangeError("", words, conflict=True)
    with unless_meanwhile(db, "", words):
        db.execute(sa.delete(CourseGroupMember).where(CourseGroupMember.group_id == group_id))
        db.execute(sa.delete(CourseGroup).where(CourseGroup.id == group_id))
        noted(AuditAction.GROUP_DELETED, subject=code, details={"group": name})


def is_member(db: Session, group: CourseGroup, student: Student) -> bool:
    """Whether a student is in a group."""
    return db.get(CourseGroupMember, (group.id, student.id)) is not None


def add_member(db: Session, group: CourseGroup, student: Student) -> None:
    """Put a student of the course into a group.

    Raises:
        ChangeError: the student does not take the course, or another put the student there at the same moment.
    """
    if is_member(db, group, student):
        return
    if db.get(Enrolment, (group.course_id, student.id)) is None:
        words = gettext(
            "%(student)s does not take %(code)s. Enrol the student first.",
            student=student.name,
            code=group.course.code,
        )
        raise ChangeError("index_number", words, conflict=True)
    with unless_meanwhile(db, "index_number", is_member_words(student)):
        db.add(CourseGroupMember(group_id=group.id, student_id=student.id))
        _note_member(AuditAction.GROUP_JOINED, group, student)


def remove_member(db: Session, group: CourseGroup, student: Student) -> None:
    """Take a student out of a group; closed registers stay as they are."""
    of_group = (CourseGroupMember.group_id == group.id, CourseGroupMember.student_id == student.id)
    if db.connection().execute(sa.delete(CourseGroupMember).where(*of_group)).rowcount:
        _note_member(AuditAction.GROUP_LEFT, group, student)


def is_member_words(student: Student) -> str:
    """That a student is in the group already."""
    return gettext("%(student)s is in the group already.", student=student.name)


def _note_member(action: AuditAction, group: CourseGroup, student: Student) -> None:
    noted(action, student=student.index_number, subject=group.course.code, details={"group": group.name})


def _taken() -> str:
    return gettext("The course has a group of this name already.")
