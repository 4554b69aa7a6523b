"""Importing rooms and courses, on SQLite and on MariaDB."""

import sqlalchemy as sa

from attendance.database.models import Course, Department, Room
from attendance.tables.reading import read_table
from tests.factories import make_course, make_department, make_room
from webapp.imports.places import CourseImporter, RoomImporter
from webapp.imports.plan import ImportPlan, RecordKind
from webapp.imports.run import run_import


def imported(db, importer, text, *, apply=True):
    return run_import(db, read_table(text.encode(), importer.columns), importer, apply=apply)


def counts(report):
    return {name: count for name, count in report.counts.items() if count}


def rooms(db):
    return list(db.scalars(sa.select(Room.name).order_by(Room.name)))


def courses(db):
    return {row.code: row.name for row in db.execute(sa.select(Course.code, Course.name))}


ROOMS = "name;building\nHall A;1\n Hall  B ;1\nHall A;2\n;3\nhall a;1\nHall C;1\n"


def test_rooms_are_added_once_and_twins_are_asked_about(db):
    make_room(db, "Hall C")
    db.commit()
    tried = imported(db, RoomImporter(), ROOMS, apply=False)
    assert rooms(db) == ["Hall C"]
    report = imported(db, RoomImporter(), ROOMS)
    assert report == tried
    assert counts(report) == {"added": 3, "unchanged": 1, "refused": 2}
    assert rooms(db) == ["Hall A", "Hall B", "Hall C", "hall a"]
    assert [one.question for one in report.questions] == ["hall a is like Hall A, on line 2. Is this another room?"]
    assert [fault.message for fault in report.faults] == [
        "Room Hall A is already on line 2; that line counts.",
        "name is empty.",
    ]
    assert counts(imported(db, RoomImporter(), ROOMS)) == {"unchanged": 4, "refused": 2}


COURSES = "code,name\nMA1,Algebra\nPH1,Mechanics\nph1,Optics\nMA2,\nC-1,Logic\n"


def test_courses_are_added_and_get_the_name_of_the_file(db):
    make_course(db, "PH1", "Physics")
    make_course(db, "C1", "Computing")
    db.commit()
    tried = imported(db, CourseImporter(), COURSES, apply=False)
    assert courses(db) == {"PH1": "Physics", "C1": "Computing"}
    report = imported(db, CourseImporter(), COURSES)
    assert report == tried
    assert counts(report) == {"added": 3, "updated": 1, "refused": 1}
    assert [one.message for one in report.changes] == [
        "PH1 is already there; the name changes from Physics to Mechanics"
    ]
    assert [one.question for one in report.questions] == [
        "ph1 is like PH1, which is there already. Is this another course?",
        "C-1 is like C1, which is there already. Is this another course?",
    ]
    assert courses(db)["PH1"] == "Mechanics"
    assert counts(imported(db, CourseImporter(), COURSES)) == {"unchanged": 4, "refused": 1}


DEPARTMENTS = "code,name,department\nMA1,Algebra,Mathematics\nPH1,Mechanics,\nPH2,Optics,physics\nCH1,Acids,Chemistry\n"


def departments(db):
    query = sa.select(Course.code, Department.name).outerjoin(Course.department)
    return {row.code: row.name for row in db.execute(query)}


def test_courses_go_to_the_department_of_the_file_which_an_empty_field_leaves(db):
    make_course(db, "PH1", "Mechanics", department=make_department(db, "Physics"))
    make_course(db, "MA1", "Algebra", department=make_department(db, "Mathematics"))
    make_course(db, "PH2", "Optics")
    db.commit()
    tried = imported(db, CourseImporter(), DEPARTMENTS, apply=False)
    report = imported(db, CourseImporter(), DEPARTMENTS)
    assert report == tried
    assert counts(report) == {"unchanged": 2, "refused": 2}
    assert [fault.message for fault in report.faults] == [
        "There is no department called physics. Did you mean Physics?",
        "There is no department called Chemistry.",
    ]
    assert report.missing == {"departments": {"Chemistry": 1}}
    moved = imported(db, CourseImporter(), "code,name,department\nPH1,Statics,Mathematics\n")
    assert [one.message for one in moved.changes] == [
        "PH1 is already there; the name changes from Mechanics to Statics and it goes to the department Mathematics"
    ]
    assert departments(db) == {"PH1": "Mathematics", "MA1": "Mathematics", "PH2": None}


def test_departments_that_are_missing_are_made_where_that_is_allowed(db):
    make_department(db, "Physics")
    db.commit()
    reports = [
        imported(db, CourseImporter(ImportPlan(frozenset({RecordKind.DEPARTMENTS}))), DEPARTMENTS, apply=apply)
        for apply in (False, True)
    ]
    assert reports[0] == reports[1]
    assert reports[1].created == {"departments": ["Chemistry", "Mathematics"]}
    assert counts(reports[1]) == {"added": 3, "refused": 1}, "physics differs from Physics in capitals only"
    assert departments(db) == {"MA1": "Mathematics", "PH1": None, "CH1": "Chemistry"}
