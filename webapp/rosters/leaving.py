"""Who leaves courses and groups by what a roster says, or by what it does not say."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, CourseGroupMember, Enrolment, Student
from webapp.rosters.known import RosterClass

Leaving = tuple[str, str, str]
"""The code of a course, the group that is left ("": the course as a whole), and the index number."""


def gone_from(
    db: Session, covered: Collection[RosterClass], active: Mapping[RosterClass, Collection[str]]
) -> list[Leaving]:
    """Who takes a course here, or is in a group, that a whole roster names without them.

    Args:
        db: any session.
        covered: the classes that the roster names.
        active: the index numbers in each of them.
    """
    of_courses: dict[str, set[str]] = {}
    for one, numbers in active.items():
        of_courses.setdefault(one.course_code, set()).update(numbers)
    taking = sa.select(Course.code, Student.index_number).join(Enrolment, Enrolment.course_id == Course.id)
    taking = taking.join(Student, Student.id == Enrolment.student_id).order_by(Course.code, Student.index_number)
    gone = [
        (code, "", number)
        for code, number in db.execute(taking.where(Course.code.in_({one.course_code for one in covered})))
        if number not in of_courses.get(code, ())
    ]
    left = {(code, number) for code, _, number in gone}
    for code, group, number in _members(db, {one.course_code for one in covered if one.group}):
        place = RosterClass(code, group)
        if place in covered and number not in active.get(place, ()) and (code, number) not in left:
            gone.append((code, group, number))
    return gone


def gone_with(
    db: Session, removed: Sequence[tuple[RosterClass, str]], active: Mapping[RosterClass, Collection[str]]
) -> list[Leaving]:
    """Who leaves the last of their groups with what changed, and so the course.

    Args:
        db: any session.
        removed: the classes that students leave, with their index numbers.
        active: the index numbers that are in classes by the same change.
    """
    groups: dict[tuple[str, str], set[str]] = {}
    for code, group, number in _members(db, {one.course_code for one, _ in removed}):
        groups.setdefault((code, number), set()).add(group)
    for one, numbers in active.items():
        for number in numbers:
            groups.setdefault((one.course_code, number), set()).add(one.group)
    leaving: dict[tuple[str, str], set[str]] = {}
    for one, number in removed:
        leaving.setdefault((one.course_code, number), set()).add(one.group)
    return [
        (code, "", number)
        for (code, number), of in leaving.items()
        if "" not in of and not groups.get((code, number), set()) - of
    ]


def _members(db: Session, codes: Iterable[str]) -> list[Leaving]:
    query = (
        sa.select(Course.code, CourseGroup.name, Student.index_number)
        .join(CourseGroup, CourseGroup.course_id == Course.id)
        .join(CourseGroupMember, CourseGroupMember.group_id == CourseGroup.id)
        .join(Student, Student.id == CourseGroupMember.student_id)
    )
    rows = db.execute(query.where(Course.code.in_(set(codes))).order_by(Course.code, Student.index_number))
    return [(code, group, number) for code, group, number in rows]
