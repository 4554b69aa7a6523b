"""Importing who is in which group, on SQLite and on MariaDB."""

import sqlalchemy as sa

from attendance.database.models import CourseGroup, CourseGroupMember, Enrolment, Student
from attendance.tables.reading import read_table
from tests.factories import enrol, make_course, make_student
from webapp.imports.groups import GroupImporter
from webapp.imports.report import Outcome
from webapp.imports.run import run_import


def imported(db, text, *, apply=True):
    outcomes: list[Outcome] = []
    importer = GroupImporter()
    table = read_table(("course,group,index_number\n" + text).encode(), importer.columns)
    run_import(db, table, importer, apply=apply, on_outcome=outcomes.append)
    return [(one.line, one.result.value, one.message) for one in outcomes]


def test_students_join_groups_that_are_made_and_the_roster(db):
    course, other = make_course(db, "MA1"), make_course(db, "PH1")
    enrol(db, course, make_student(db, "s1"))
    make_student(db, "s2")
    enrol(db, other, make_student(db, "s3"))
    db.commit()
    text = "MA1,Mon,s1\nMA1,Tue,s1\nMA1,Mon,s2\nPH1,Mon,s3\nXX,Mon,s1\nMA1,Mon,s9\nMA1,,s1\nMA1,Mon,s1\n"
    tried = imported(db, text, apply=False)
    assert db.scalars(sa.select(CourseGroup)).all() == []
    outcomes = imported(db, text)
    assert outcomes == tried
    assert [(result, message) for _, result, message in outcomes] == [
        ("added", ""),
        ("added", ""),
        ("added", "Also put on the course's roster."),
        ("added", ""),
        ("refused", "There is no course with the code XX."),
        ("refused", "There is no student with index number s9."),
        ("refused", "group is empty."),
        ("refused", "Index number s1 in group Mon of MA1 is already on line 2; that line counts."),
    ]
    query = (
        sa.select(CourseGroup.name, Student.index_number)
        .join(CourseGroupMember, CourseGroupMember.group_id == CourseGroup.id)
        .join(Student, Student.id == CourseGroupMember.student_id)
    )
    assert sorted(db.execute(query.where(CourseGroup.course_id == course.id)).all()) == [
        ("Mon", "s1"),
        ("Mon", "s2"),
        ("Tue", "s1"),
    ]
    assert db.scalar(sa.select(sa.func.count()).select_from(Enrolment)) == 3
    assert [result for _, result, _ in imported(db, text)][:4] == ["unchanged"] * 4
