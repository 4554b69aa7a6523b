"""The groups of a course, and who is in each."""

from typing import Any

import sqlalchemy as sa
from flask import Response, abort, url_for
from sqlalchemy.orm import Session

from attendance.database.models import Course, CourseGroup, CourseGroupMember, Enrolment, Student
from attendance.tables.fields import GROUP_NAME
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course
from webapp.api.courses import courses
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.people import StudentFields
from webapp.api.places import Named
from webapp.api.resource import Fields, identifier, no_content
from webapp.api.texts import text_field
from webapp.api.writing import IF_MATCH, Written, answered, locked, require_match, revision, write
from webapp.changes.groups import add_group, add_member, change_group, remove_member
from webapp.changes.groups import delete_group as remove_group
from webapp.tools.storage import database

__all__ = ["courses"]  # with the addresses of groups


class GroupFields(Named):
    """A group of a course."""

    course_id = identifier(required=True)


class NewGroup(Fields):
    """A group to be added."""

    name = text_field(GROUP_NAME)


class GroupChange(Fields):
    """What a group is to be; what is left out stays."""

    name = text_field(GROUP_NAME, left_out=True)


@courses.route("/courses/<int:course_id>/groups")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(GroupFields))
def list_groups(asked: dict[str, Any], course_id: int) -> Listing:
    """The groups of a course."""
    course = reach_course(course_id)
    query = sa.select(CourseGroup).where(CourseGroup.course_id == course.id)
    return part_of_query(database(), query, [by_id(CourseGroup.id)], asked)


@courses.route("/courses/<int:course_id>/groups/<int:group_id>")
@needs(Permission.READ)
@courses.response(200, GroupFields)
def get_group(course_id: int, group_id: int) -> Written:
    """A group."""
    return _answer(_reached(course_id, group_id))


@courses.route("/courses/<int:course_id>/groups", methods=["POST"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.arguments(NewGroup)
@courses.alt_response(200, schema=GroupFields)
@courses.response(201, GroupFields)
def make_group(asked: dict[str, Any], course_id: int) -> Written:
    """Add a group to a course; where it has one of the name, that is answered (200)."""

    def work(db: Session) -> tuple[CourseGroup, bool]:
        course = locked(db, Course, course_id)
        named = (CourseGroup.course_id == course_id, CourseGroup.name == asked["name"])
        there = db.scalar(sa.select(CourseGroup).where(*named))
        return (add_group(db, course, asked["name"]), True) if there is None else (there, False)

    group, new = write(work)
    return _answer(group, status=201 if new else 200)


@courses.route("/courses/<int:course_id>/groups/<int:group_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.doc(parameters=[IF_MATCH])
@courses.arguments(GroupChange)
@courses.response(200, GroupFields)
def patch_group(asked: dict[str, Any], course_id: int, group_id: int) -> Written:
    """Give a group another name."""

    def work(db: Session) -> CourseGroup:
        group = _locked(db, course_id, group_id)
        require_match(revision(group.name))
        return change_group(db, group, asked.get("name", group.name))

    return _answer(write(work))


@courses.route("/courses/<int:course_id>/groups/<int:group_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.doc(parameters=[IF_MATCH])
@courses.response(204)
def delete_group(course_id: int, group_id: int) -> Response:
    """Delete a group; its students still take the course. 409 where a session is or was for it."""

    def work(db: Session) -> None:
        group = _locked(db, course_id, group_id)
        require_match(revision(group.name))
        remove_group(db, group)

    write(work)
    return no_content()


@courses.route("/courses/<int:course_id>/groups/<int:group_id>/students")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(StudentFields))
def list_members(asked: dict[str, Any], course_id: int, group_id: int) -> Listing:
    """The students of a group, as far as they take the course."""
    group = _reached(course_id, group_id)
    query = (
        sa.select(Student)
        .join(Enrolment, sa.and_(Enrolment.student_id == Student.id, Enrolment.course_id == group.course_id))
        .join(CourseGroupMember, CourseGroupMember.student_id == Student.id)
        .where(CourseGroupMember.group_id == group.id)
    )
    return part_of_query(database(), query, [by_id(Student.id)], asked)


@courses.route("/courses/<int:course_id>/groups/<int:group_id>/students/<int:student_id>", methods=["PUT"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.response(204)
def join_group(course_id: int, group_id: int, student_id: int) -> Response:
    """Put a student into a group; one who is in it stays there. 409 where the student does not take the course."""
    write(lambda db: add_member(db, _locked(db, course_id, group_id), locked(db, Student, student_id)))
    return no_content()


@courses.route("/courses/<int:course_id>/groups/<int:group_id>/students/<int:student_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.response(204)
def leave_group(course_id: int, group_id: int, student_id: int) -> Response:
    """Take a student out of a group; closed registers stay as they are."""
    write(lambda db: remove_member(db, _locked(db, course_id, group_id), locked(db, Student, student_id)))
    return no_content()


def _reached(course_id: int, group_id: int) -> CourseGroup:
    course, group = reach_course(course_id), database().get(CourseGroup, group_id)
    if group is None or group.course_id != course.id:
        abort(404)
    return group


def _locked(db: Session, course_id: int, group_id: int) -> CourseGroup:
    group = locked(db, CourseGroup, group_id)
    if group.course_id != course_id:
        abort(404)
    return group


def _answer(group: CourseGroup, *, status: int = 200) -> Written:
    shown = {"id": group.id, "name": group.name, "course_id": group.course_id}
    location = None
    if status == 201:
        location = url_for("Courses.get_group", course_id=group.course_id, group_id=group.id)
    return answered(GroupFields, shown, group.name, status=status, location=location)
