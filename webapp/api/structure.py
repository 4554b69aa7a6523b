"""Departments, courses, their groups and who takes them, rooms, and series of sessions."""

from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, abort
from sqlalchemy.orm import Session

from attendance.database.models import (
    Course,
    CourseGroup,
    CourseGroupMember,
    Department,
    Enrolment,
    Room,
    SeriesOrigin,
    SessionSeries,
    Student,
)
from attendance.database.teaching.enrolments import enrol, unenrol
from attendance.database.thresholds import threshold_of
from webapp.account.identity import current_account, is_admin
from webapp.account.permissions import Permission, needs
from webapp.account.reach import departments_of_courses, reach_course, reachable
from webapp.admin.writing import begin_change
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_items, part_of_query
from webapp.api.people import StudentFields
from webapp.api.resource import Fields, Resource, asked_identifier, identifier, no_content
from webapp.tools.storage import database

departments = Resource("Departments", "Parts of the institution that courses belong to.")
courses = Resource("Courses", "Courses that the token reaches, their groups, and who takes them.")
rooms = Resource("Rooms", "Lecture rooms.")
series = Resource("Series", "Sessions that belong together, as a timetable has them.")


class Named(Fields):
    """Something with a name."""

    id = identifier(required=True)
    name = ma.fields.String(required=True)


class DepartmentFields(Named):
    """A department."""


class RoomFields(Named):
    """A room."""


class GroupFields(Named):
    """A group of a course."""

    course_id = identifier(required=True)


class CourseFields(Named):
    """A course."""

    code = ma.fields.String(required=True)
    department_id = identifier(required=True, allow_none=True)
    threshold = ma.fields.Integer(
        required=True,
        metadata={"description": "Percent of the recorded sessions that a student must attend."},
    )


class SeriesFields(Fields):
    """A series of sessions."""

    id = identifier(required=True)
    uid = ma.fields.String(required=True, metadata={"description": "Its identity, of the file that it came from."})
    external = ma.fields.Boolean(required=True, metadata={"description": "Whether the file gave the uid."})
    origin = ma.fields.Enum(SeriesOrigin, by_value=True, required=True)
    course_id = identifier(required=True)
    group_id = identifier(required=True, allow_none=True)


class AskedCourses(ListPart):
    """Which courses."""

    code = ma.fields.String(metadata={"description": "The course with this code."})
    department_id = asked_identifier("Those of a department.")


class AskedSeries(ListPart):
    """Which series."""

    course_id = asked_identifier("Those of a course.")


@departments.route("/departments")
@needs(Permission.READ)
@departments.arguments(ListPart, location="query")
@departments.response(200, list_of(DepartmentFields))
def list_departments(asked: dict[str, Any]) -> Listing:
    """The departments of the courses that the token reaches; of an administrator all."""
    found = database().scalars(sa.select(Department)).all() if is_admin() else departments_of_courses()
    return part_of_items(found, by_id(Department.id), asked)


@courses.route("/courses")
@needs(Permission.READ)
@courses.arguments(AskedCourses, location="query")
@courses.response(200, list_of(CourseFields))
def list_courses(asked: dict[str, Any]) -> Listing:
    """Courses, by their ids."""
    query = sa.select(Course).where(reachable(Course.id))
    if "code" in asked:
        query = query.where(Course.code == asked["code"])
    if "department_id" in asked:
        query = query.where(Course.department_id == asked["department_id"])
    part, status, headers = part_of_query(database(), query, [by_id(Course.id)], asked)
    return {**part, "items": [_shown_course(database(), course) for course in part["items"]]}, status, headers


@courses.route("/courses/<int:course_id>")
@needs(Permission.READ)
@courses.response(200, CourseFields)
def get_course(course_id: int) -> dict[str, Any]:
    """A course."""
    return _shown_course(database(), reach_course(course_id))


@courses.route("/courses/<int:course_id>/groups")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(GroupFields))
def list_groups(asked: dict[str, Any], course_id: int) -> Listing:
    """The groups of a course."""
    course = reach_course(course_id)
    query = sa.select(CourseGroup).where(CourseGroup.course_id == course.id)
    return part_of_query(database(), query, [by_id(CourseGroup.id)], asked)


@courses.route("/courses/<int:course_id>/groups/<int:group_id>/students")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(StudentFields))
def list_members(asked: dict[str, Any], course_id: int, group_id: int) -> Listing:
    """The students of a group, as far as they take the course."""
    course, group = reach_course(course_id), database().get(CourseGroup, group_id)
    if group is None or group.course_id != course.id:
        abort(404)
    query = _who_takes(course).join(CourseGroupMember, CourseGroupMember.student_id == Student.id)
    return _students(query.where(CourseGroupMember.group_id == group_id), asked)


@courses.route("/courses/<int:course_id>/students")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(StudentFields))
def list_enrolled(asked: dict[str, Any], course_id: int) -> Listing:
    """The enrolments of a course: the students who take it."""
    return _students(_who_takes(reach_course(course_id)), asked)


@courses.route("/courses/<int:course_id>/students/<int:student_id>", methods=["PUT"])
@needs(Permission.ADMINISTER)
@courses.response(204)
def enrol_student(course_id: int, student_id: int) -> Response:
    """Enrol a student; one who takes the course already goes on taking it."""
    course, student = _course_and_student(course_id, student_id)
    db = begin_change()
    try:
        enrol(db, course, student, account_id=current_account().id)
        db.commit()
    except sa.exc.IntegrityError:  # another did at the same moment
        db.rollback()
    return no_content()


@courses.route("/courses/<int:course_id>/students/<int:student_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER)
@courses.response(204)
def unenrol_student(course_id: int, student_id: int) -> Response:
    """Take a student off the roster, and out of the course's groups; what is recorded stays."""
    course, student = _course_and_student(course_id, student_id)
    db = begin_change()
    unenrol(db, course, student, account_id=current_account().id)
    db.commit()
    return no_content()


@rooms.route("/rooms")
@needs(Permission.PLAN)
@rooms.arguments(ListPart, location="query")
@rooms.response(200, list_of(RoomFields))
def list_rooms(asked: dict[str, Any]) -> Listing:
    """All rooms, as whoever moves a session chooses from them."""
    return part_of_query(database(), sa.select(Room), [by_id(Room.id)], asked)


@series.route("/series")
@needs(Permission.READ)
@series.arguments(AskedSeries, location="query")
@series.response(200, list_of(SeriesFields))
def list_series(asked: dict[str, Any]) -> Listing:
    """Series, by their ids."""
    query = sa.select(SessionSeries).where(reachable(SessionSeries.course_id))
    if "course_id" in asked:
        query = query.where(SessionSeries.course_id == asked["course_id"])
    return part_of_query(database(), query, [by_id(SessionSeries.id)], asked)


def _who_takes(course: Course) -> sa.Select[Student]:
    return (
        sa.select(Student).join(Enrolment, Enrolment.student_id == Student.id).where(Enrolment.course_id == course.id)
    )


def _students(query: sa.Select[Student], asked: dict[str, Any]) -> Listing:
    return part_of_query(database(), query, [by_id(Student.id)], asked)


def _course_and_student(course_id: int, student_id: int) -> tuple[Course, Student]:
    course, student = database().get(Course, course_id), database().get(Student, student_id)
    if course is None or student is None:
        abort(404)
    return course, student


def _shown_course(db: Session, course: Course) -> dict[str, Any]:
    return {
        "id": course.id,
        "code": course.code,
        "name": course.name,
        "department_id": course.department_id,
        "threshold": threshold_of(db, course),
    }
