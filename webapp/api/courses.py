"""Courses and who takes them."""

from dataclasses import asdict, replace
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import Response, url_for
from sqlalchemy.orm import Session

from attendance.database.models import Course, Enrolment, Student
from attendance.database.teaching.enrolments import enrol, unenrol
from attendance.database.thresholds import threshold_of
from attendance.tables.fields import COURSE_CODE, COURSE_NAME
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course, reachable
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_query
from webapp.api.people import StudentFields
from webapp.api.places import Named
from webapp.api.resource import Fields, Resource, asked_identifier, identifier, no_content
from webapp.api.texts import text_field
from webapp.api.writing import (
    IF_MATCH,
    DeletionConfirmed,
    Written,
    answered,
    locked,
    require_confirmation,
    require_match,
    revision,
    same,
    write,
)
from webapp.changes.courses import CourseValues, add_course, change_course, values_of, what_course_has
from webapp.changes.courses import delete_course as remove_course
from webapp.tools.storage import database

courses = Resource("Courses", "Courses that the token reaches, their groups, and who takes them.")


class CourseFields(Named):
    """A course."""

    code = ma.fields.String(required=True)
    department_id = identifier(required=True, allow_none=True)
    threshold = ma.fields.Integer(
        required=True,
        metadata={"description": "Percent of the recorded sessions that a student must attend."},
    )
    attendance_threshold = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "The course's own; null: the institution's."}
    )


def _percent() -> ma.fields.Integer:
    between = ma.validate.Range(min=1, max=100)
    about = {"description": "Percent of the recorded sessions that a student must attend; null: the institution's."}
    return ma.fields.Integer(strict=True, allow_none=True, validate=between, metadata=about)


class NewCourse(Fields):
    """A course to be added."""

    code = text_field(COURSE_CODE)
    name = text_field(COURSE_NAME)
    department_id = identifier(allow_none=True)
    attendance_threshold = _percent()


class CourseChange(Fields):
    """What a course is to be; what is left out stays."""

    code = text_field(COURSE_CODE, left_out=True)
    name = text_field(COURSE_NAME, left_out=True)
    department_id = identifier(allow_none=True)
    attendance_threshold = _percent()


class AskedCourses(ListPart):
    """Which courses."""

    code = ma.fields.String(metadata={"description": "The course with this code."})
    department_id = asked_identifier("Those of a department.")


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
def get_course(course_id: int) -> Written:
    """A course."""
    return _answer(reach_course(course_id))


@courses.route("/courses", methods=["POST"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.arguments(NewCourse)
@courses.alt_response(200, schema=CourseFields)
@courses.response(201, CourseFields)
def make_course(asked: dict[str, Any]) -> Written:
    """Add a course; one that is there, and is so already, is answered (200)."""

    def work(db: Session) -> tuple[Course, bool]:
        there = db.scalar(sa.select(Course).where(Course.code == asked["code"]))
        if there is not None and same(asked, asdict(values_of(there))):
            return there, False
        return add_course(db, CourseValues(**asked)), True

    course, new = write(work)
    return _answer(course, status=201 if new else 200)


@courses.route("/courses/<int:course_id>", methods=["PATCH"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.doc(parameters=[IF_MATCH])
@courses.arguments(CourseChange)
@courses.response(200, CourseFields)
def patch_course(asked: dict[str, Any], course_id: int) -> Written:
    """Change a course."""

    def work(db: Session) -> Course:
        course = _locked(db, course_id)
        return change_course(db, course, replace(values_of(course), **asked))

    return _answer(write(work))


@courses.route("/courses/<int:course_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.doc(parameters=[IF_MATCH])
@courses.arguments(DeletionConfirmed, location="query")
@courses.response(204)
def delete_course(asked: dict[str, Any], course_id: int) -> Response:
    """Delete a course with its sessions and their registers; joint sessions stay, for the other courses."""

    def work(db: Session) -> None:
        course = _locked(db, course_id)
        require_confirmation(what_course_has(db, course).entries, course.code, asked["confirm"])
        remove_course(db, course)

    write(work)
    return no_content()


@courses.route("/courses/<int:course_id>/students")
@needs(Permission.READ)
@courses.arguments(ListPart, location="query")
@courses.response(200, list_of(StudentFields))
def list_enrolled(asked: dict[str, Any], course_id: int) -> Listing:
    """The enrolments of a course: the students who take it."""
    return _students(_who_takes(reach_course(course_id)), asked)


@courses.route("/courses/<int:course_id>/students/<int:student_id>", methods=["PUT"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.response(204)
def enrol_student(course_id: int, student_id: int) -> Response:
    """Enrol a student; one who takes the course already goes on taking it."""
    write(lambda db: enrol(db, *_locked_both(db, course_id, student_id), account_id=current_account().id))
    return no_content()


@courses.route("/courses/<int:course_id>/students/<int:student_id>", methods=["DELETE"])
@needs(Permission.ADMINISTER, scope="courses")
@courses.response(204)
def unenrol_student(course_id: int, student_id: int) -> Response:
    """Take a student off the roster, and out of the course's groups; what is recorded stays."""
    write(lambda db: unenrol(db, *_locked_both(db, course_id, student_id), account_id=current_account().id))
    return no_content()


def _who_takes(course: Course) -> sa.Select[Student]:
    return (
        sa.select(Student).join(Enrolment, Enrolment.student_id == Student.id).where(Enrolment.course_id == course.id)
    )


def _students(query: sa.Select[Student], asked: dict[str, Any]) -> Listing:
    return part_of_query(database(), query, [by_id(Student.id)], asked)


def _locked_both(db: Session, course_id: int, student_id: int) -> tuple[Course, Student]:
    return locked(db, Course, course_id), locked(db, Student, student_id)


def _shown_course(db: Session, course: Course) -> dict[str, Any]:
    return {
        "id": course.id,
        "code": course.code,
        "name": course.name,
        "department_id": course.department_id,
        "threshold": threshold_of(db, course),
        "attendance_threshold": course.attendance_threshold,
    }


def _locked(db: Session, course_id: int) -> Course:
    course = locked(db, Course, course_id)
    require_match(revision(asdict(values_of(course))))
    return course


def _answer(course: Course, *, status: int = 200) -> Written:
    location = url_for("Courses.get_course", course_id=course.id) if status == 201 else None
    stored = asdict(values_of(course))
    return answered(CourseFields, _shown_course(database(), course), stored, status=status, location=location)
