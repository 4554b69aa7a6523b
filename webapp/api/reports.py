"""Rates of attendance, and who is at risk: the numbers that the pages show, by the same functions."""

from collections import defaultdict
from datetime import date
from typing import Any

import marshmallow as ma
import sqlalchemy as sa
from flask import abort

from attendance.database.models import Course, CourseGroup, Student, utc_now
from attendance.database.thresholds import threshold_of
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course, reachable
from webapp.api.paging import Key, Listing, ListPart, by_id, list_of, part_of_items
from webapp.api.resource import Fields, Resource, asked_identifier, day, identifier, moment
from webapp.records.tallies import Tally, tally_enrolled
from webapp.reports.course_marks import students_of_course
from webapp.reports.period import Period
from webapp.reports.students import student_lines
from webapp.tools.problems import refuse
from webapp.tools.storage import database

reports = Resource("Reports", "How often students came, and who is at risk.")


class TallyFields(Fields):
    """How often somebody came, of the sessions recorded so far."""

    rate = ma.fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "Share of those expected who came, 0 to 1, labels by their weights; null: none."},
    )
    present = ma.fields.Integer(required=True)
    late = ma.fields.Integer(required=True)
    absent = ma.fields.Integer(required=True)
    excused = ma.fields.Integer(required=True)
    unrecorded = ma.fields.Integer(required=True, metadata={"description": "Entries without a status."})
    credited = ma.fields.Float(required=True, metadata={"description": "How many count as attended."})
    expected = ma.fields.Integer(required=True, metadata={"description": "Of how many; the excused are not."})


class RateFields(TallyFields):
    """A student's attendance of a course."""

    student_id = identifier(required=True)
    index_number = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    threshold = ma.fields.Integer(required=True, metadata={"description": "Percent that is asked for."})
    below = ma.fields.Boolean(required=True, metadata={"description": "Whether the rate is below the threshold."})
    trend = ma.fields.Float(
        required=True,
        allow_none=True,
        metadata={"description": "How the rate of late differs from that of before, in shares of 1."},
    )
    last_seen = moment(required=True, allow_none=True)
    longest_absence = ma.fields.Integer(required=True, metadata={"description": "In sessions one after the other."})


class RiskFields(TallyFields):
    """A student whose attendance of a course is below what it asks for."""

    student_id = identifier(required=True)
    index_number = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    course_id = identifier(required=True)
    course_code = ma.fields.String(required=True)
    threshold = ma.fields.Integer(required=True, metadata={"description": "Percent that is asked for."})


class Counted(ListPart):
    """Which sessions count, by the days of the institution on which they begin, and what is asked for."""

    first_day = day(metadata={"description": "Sessions from this day on."})
    last_day = day(metadata={"description": "Sessions to this day, included."})
    below = ma.fields.Integer(
        validate=ma.validate.Range(min=1, max=100),
        metadata={"description": "A threshold in percent in place of the course's own; only who is below it."},
    )


class AskedRates(Counted):
    """Which students of a course."""

    group_id = asked_identifier("The members of a group.")


class AskedRisks(Counted):
    """Of which courses."""

    course_id = asked_identifier("Of one course.")
    department_id = asked_identifier("Of the courses of a department.")


@reports.route("/courses/<int:course_id>/rates")
@needs(Permission.TERM)
@reports.arguments(AskedRates, location="query")
@reports.response(200, list_of(RateFields))
def list_rates(asked: dict[str, Any], course_id: int) -> Listing:
    """The attendance of each student of a course, as the list of its students shows it."""
    db, course = database(), reach_course(course_id)
    group_id = asked.get("group_id")
    if group_id is not None:
        group = db.get(CourseGroup, group_id)
        if group is None or group.course_id != course.id:
            abort(404)
    below = asked.get("below")
    threshold = threshold_of(db, course) if below is None else below
    named = students_of_course(db, course.id, group_id=group_id)
    lines = student_lines(db, course.id, named, threshold=threshold, now=utc_now(), during=_period(asked).conditions)
    wanted = [line for line in lines if line.below or below is None]
    part, status, headers = part_of_items(wanted, by_id(None, lambda line: line.student.id), asked)
    items = [
        {
            **_tally(line.tally),
            "student_id": line.student.id,
            "index_number": line.student.index_number,
            "name": line.student.name,
            "threshold": threshold,
            "below": line.below,
            "trend": line.spells.trend,
            "last_seen": line.spells.last_seen,
            "longest_absence": line.spells.longest_absence,
        }
        for line in part["items"]
    ]
    return {**part, "items": items}, status, headers


@reports.route("/reports/at-risk")
@needs(Permission.TERM)
@reports.arguments(AskedRisks, location="query")
@reports.response(200, list_of(RiskFields))
def list_risks(asked: dict[str, Any]) -> Listing:
    """Who is at risk in the courses that the token reaches: an item for each student and course."""
    db = database()
    query = sa.select(Course).where(reachable(Course.id))
    if "course_id" in asked:
        query = query.where(Course.id == asked["course_id"])
    if "department_id" in asked:
        query = query.where(Course.department_id == asked["department_id"])
    courses = {course.id: course for course in db.scalars(query)}
    below = asked.get("below")
    thresholds = {key: threshold_of(db, course) if below is None else below for key, course in courses.items()}
    tallies = tally_enrolled(db, lambda column: column.in_(courses), _period(asked).conditions) if courses else {}
    low = {key: tally for key, tally in tallies.items() if tally.is_below(thresholds[key[0]])}
    part, status, headers = part_of_items(list(low), _PAIR, asked)
    names = _names([student_id for _course, student_id in part["items"]])
    items = [
        {
            **_tally(low[course_id, student_id]),
            **names[student_id],
            "course_id": course_id,
            "course_code": courses[course_id].code,
            "threshold": thresholds[course_id],
        }
        for course_id, student_id in part["items"]
    ]
    return {**part, "items": items}, status, headers


def _read_pair(value: Any) -> tuple[int, int]:
    first, second = value
    if type(first) is not int or type(second) is not int:
        raise ValueError(value)
    return first, second


_PAIR = Key(None, lambda pair: pair, _read_pair, list)


def _names(student_ids: list[int]) -> dict[int, dict[str, Any]]:
    query = sa.select(Student.id, Student.index_number, Student.name).where(Student.id.in_(student_ids))
    found: defaultdict[int, dict[str, Any]] = defaultdict(dict)
    for student_id, index_number, name in database().execute(query):
        found[student_id] = {"student_id": student_id, "index_number": index_number, "name": name}
    return found


def _tally(tally: Tally) -> dict[str, Any]:
    names = ("rate", "present", "late", "absent", "excused", "unrecorded", "credited", "expected")
    return {name: getattr(tally, name) for name in names}


def _period(asked: dict[str, Any]) -> Period:
    first: date | None = asked.get("first_day")
    last: date | None = asked.get("last_day")
    if first and last and last < first:
        refuse("query", last_day="It is before first_day.")
    return Period(first, last)
