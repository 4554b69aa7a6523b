"""What people's files have been seen to hold (I1 to I7 of the cases from the field), on SQLite and on MariaDB."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.models import Student
from attendance.tables.errors import TableError
from attendance.tables.fields import index_number_rule
from attendance.tables.reading import read_table
from index_builder.importing.photo_table import read_photo_table
from tests.factories import enrol, make_course, make_student
from webapp.imports.enrolments import EnrolmentImporter
from webapp.imports.run import run_import
from webapp.imports.students import StudentImporter

WARSAW = ZoneInfo("Europe/Warsaw")


def students(db, text, **rule):
    importer = StudentImporter(WARSAW, **rule)
    data = text if isinstance(text, bytes) else text.encode()
    return run_import(db, read_table(data, importer.columns), importer, apply=True)


def names(db):
    return {row.index_number: row.name for row in db.execute(sa.select(Student.index_number, Student.name))}


def test_i1_a_line_break_in_a_quoted_cell_is_one_record(db):
    report = students(db, 'index_number,name,address\ns1,Ann,"12 High St\nLondon"\ns2,Bob,x\n')
    assert (report.lines, names(db)) == (2, {"s1": "Ann", "s2": "Bob"})


def test_i2_an_enrolment_with_another_name_is_noted(db):
    enrol(db, make_course(db, "PH1"), make_student(db, "s1", "Ann"))
    make_course(db, "MA1")
    db.commit()
    importer = EnrolmentImporter()
    text = "course_code,index_number,name\nMA1,s1,Anna\nPH1,s1,Anne\nMA1,s2,Bob\nPH1,s2,Robert\n"
    report = run_import(db, read_table(text.encode(), importer.columns), importer, apply=True)
    assert [(one.line, one.message) for one in report.changes] == [
        (2, "s1 is already there as Ann; that name stays."),
        (3, "s1 is already there as Ann; that name stays."),
        (5, "s2 is already there as Bob; that name stays."),
    ]
    assert names(db) == {"s1": "Ann", "s2": "Bob"}


NO_NUMBERS = {
    "2.4E+05": "rounded",
    "=1+1": "formula",
    "../x": "path",
    "@at": "formula",
    "NULL": "no value",
    "NaN": "no value",
    "#N/A": "spreadsheet's error",
    "\uff12\uff14\uff10\uff11\uff10\uff11": "type them as 240101",
    "\u0662\u0664\u0660\u0661": "type them as 2401",
    "240": "does not look like the index numbers here",
}


@pytest.mark.parametrize(("number", "why"), NO_NUMBERS.items())
def test_i3_one_rule_refuses_the_same_everywhere(db, tmp_path, number, why):
    rule = index_number_rule("[sS]?[0-9]{4,6}|.*[^0-9].*")
    report = students(db, f"index_number,name\n{number},Ann\n", rule=rule)
    assert why in report.faults[0].message
    (tmp_path / "photos.csv").write_text(f"index_number,photo\n{number},a.jpg\n", encoding="utf-8")
    photos = read_photo_table(tmp_path / "photos.csv", now=datetime.now(UTC), zone=WARSAW, rule=rule)
    assert why in photos.misplaced[0].detail
    assert (photos.left_out, photos.by_student, names(db)) == (1, {}, {})


def test_i3_likely_damage_is_asked_about(db):
    make_student(db, "007123", "Ann")
    make_student(db, "S240401", "Bob")
    db.commit()
    report = students(db, "index_number,name\n7123,Ann\ns240401,Bob\n\uff33240401,Bob\n240,Eve\n")
    asked = [one.question.partition(". Is")[0] for one in report.questions]
    assert asked == [
        "7123 is like 007123, who is there already, but for zeros, which spreadsheets drop and add",
        "s240401 is like S240401, who is there already, but for capitals",
        "\uff33240401 is like S240401, who is there already, but for the form of its letters",
    ]


def test_i3_a_header_in_the_middle_is_no_student(db):
    report = students(db, "index_number,name\ns1,Ann\nindex_number,name\ns2,Bob\n")
    assert "names the columns again" in report.faults[0].message
    assert names(db) == {"s1": "Ann", "s2": "Bob"}


def test_i4_a_code_page_is_refused_by_the_dashboard_and_by_photo_tables(db, tmp_path):
    text = "index_number,name,photo\n1,Żak,a.jpg\n".encode("cp1250")
    with pytest.raises(TableError, match="not in UTF-8"):
        students(db, text)
    (tmp_path / "photos.csv").write_bytes(text)
    with pytest.raises(TableError, match="not in UTF-8"):
        read_photo_table(tmp_path / "photos.csv", now=datetime.now(UTC), zone=WARSAW)


def test_i5_marks_of_writing_direction_are_stripped(db):
    students(db, "index_number,name\ns1,\u200fليلى\u200e\n")
    assert names(db) == {"s1": "ليلى"}


def test_i6_a_column_group_is_not_the_declared_group(db):
    report = students(db, "index_number,name,group\ns1,Ann,Seminar 2\n")
    assert report.notes == [
        "The column group is not used: the group of a student in a course is imported as Course groups; what a student "
        "says of themselves, for reports of errors by group, has the heading declared_group."
    ]
    assert db.scalars(sa.select(Student.declared_group)).all() == [None]
    students(db, "index_number,name,declared_group\ns1,Ann,Group A\n")
    assert db.scalars(sa.select(Student.declared_group)).all() == ["Group A"]


def test_i7_enrolments_before_courses_are_a_few_reasons(db):
    lines = "".join(f"C{n % 6},s{n},Student {n}\n" for n in range(782))
    importer = EnrolmentImporter()
    text = "course_code,index_number,name\n" + lines
    report = run_import(db, read_table(text.encode(), importer.columns), importer, apply=False)
    assert (report.counts["refused"], len(report.faults)) == (782, 6)
    assert report.faults[0].numbers(3) == "2, 8, 14 and 128 more"
    assert report.missing == {"courses": {f"C{n}": 131 if n < 2 else 130 for n in range(6)}}
