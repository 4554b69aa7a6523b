"""Several files as one import, what is made because lines name it, and equal errors; on both databases."""

from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from attendance.database.models import Account, AccountRole, ClassSession, Course, Enrolment, Room, Student
from attendance.tables.errors import TableError
from attendance.tables.fields import INDEX_NUMBER
from tests.factories import make_course, make_student
from webapp.imports.kinds import KINDS
from webapp.imports.plan import RecordKind
from webapp.imports.together import ImportFile, Importing, in_order, kind_of

WARSAW = ZoneInfo("Europe/Warsaw")
TERM = {
    "timetable": "course_code,room,date,start,end,repeat_until\nMA1,Hall A,2027-03-22,9:00,10:00,2027-04-05\n"
    "PH1,Hall A,2027-03-22,9:30,10:30,\n",
    "enrolments": "course_code,index_number,name\nMA1,s1,\nMA1,s2,\nPH1,s1,Anna\nPH1,s9,\n",
    "students": "index_number,name\ns1,Ann\ns2,Bob\n",
    "lecturers": "email,name,course_code\nada@example.edu,Ada,MA1\n",
    "courses": "code,name\nMA1,Algebra\nPH1,Mechanics\n",
    "rooms": "name\nHall A\n",
}


def run(db, texts, *, apply, create=()):
    files = in_order([ImportFile(KINDS[kind], f"{kind}.csv", text.encode()) for kind, text in texts.items()])
    reports = Importing(WARSAW, INDEX_NUMBER, frozenset(create)).run(db, files, apply=apply)
    return dict(zip([file.kind.slug for file in files], reports, strict=True))


def counts(report):
    return {name: count for name, count in report.counts.items() if count}


def rows(db, *models):
    db.rollback()
    return [db.scalar(sa.select(sa.func.count()).select_from(model)) for model in models]


EVERYTHING = (Room, Course, Student, Account, AccountRole, Enrolment, ClassSession)


def test_each_file_finds_what_the_others_add_and_the_trial_says_what_the_import_does(db):
    tried = run(db, TERM, apply=False)
    assert rows(db, *EVERYTHING) == [0] * 7
    assert list(tried) == ["rooms", "courses", "students", "lecturers", "enrolments", "timetable"]
    assert counts(tried["enrolments"]) == {"added": 3, "refused": 1}
    assert [one.message for one in tried["enrolments"].changes] == ["s1 is already there as Ann; that name stays."]
    assert "taken by line 2" in tried["timetable"].faults[0].message, "a clash in a room that is not there yet"
    assert run(db, TERM, apply=True) == tried
    assert rows(db, *EVERYTHING) == [1, 2, 2, 1, 1, 3, 3]


def test_one_file_alone_still_lacks_what_others_would_add(db):
    report = run(db, {"enrolments": TERM["enrolments"]}, apply=False)["enrolments"]
    assert report.missing == {"courses": {"MA1": 2, "PH1": 2}}


MANY = "".join(f"{'C1' if n < 150 else 'C2'},s{n},Student {n}\n" for n in range(300))


def test_equal_errors_are_one_with_their_lines(db):
    make_course(db, "OK")
    db.commit()
    text = "course_code,index_number,name\n" + MANY + "OK,s1,Ann\n,s2,Bob\nC1,s999,Eve\n"
    report = run(db, {"enrolments": text}, apply=True)["enrolments"]
    assert counts(report) == {"added": 1, "refused": 302}
    assert [(one.lines, one.numbers(), one.message) for one in report.faults] == [
        (151, "2 to 151, 304", "There is no course with the code C1."),
        (150, "152 to 301", "There is no course with the code C2."),
        (1, "303", "course_code is empty."),
    ]
    assert report.missing == {"courses": {"C1": 151, "C2": 150}}
    assert type(report).from_json(report.to_json()) == report


def test_courses_and_rooms_that_lines_name_are_made_where_that_is_wanted(db):
    texts = {name: TERM[name] for name in ("students", "enrolments", "timetable")}
    tried = run(db, texts, apply=False, create=[RecordKind.COURSES, RecordKind.ROOMS])
    assert rows(db, Course, Room) == [0, 0]
    assert (tried["enrolments"].created, tried["timetable"].created) == (
        {"courses": ["MA1", "PH1"]},
        {"rooms": ["Hall A"]},
    )
    assert run(db, texts, apply=True, create=[RecordKind.COURSES, RecordKind.ROOMS]) == tried
    assert rows(db, Course, Room, Enrolment, ClassSession) == [2, 1, 3, 3]
    assert dict(db.execute(sa.select(Course.code, Course.name)).all()) == {"MA1": "MA1", "PH1": "PH1"}
    again = run(db, texts, apply=True, create=[RecordKind.COURSES, RecordKind.ROOMS])
    assert again["enrolments"].created == {}


def test_a_course_in_other_capitals_is_not_made(db):
    make_course(db, "MA1")
    make_student(db, "s1")
    db.commit()
    text = {"enrolments": "course_code,index_number\nma1,s1\n"}
    report = run(db, text, apply=True, create=[RecordKind.COURSES])["enrolments"]
    assert [one.message for one in report.faults] == ["There is no course with the code ma1. Did you mean MA1?"]
    assert report.missing == {}
    assert rows(db, Course) == [1]


def test_a_student_of_an_earlier_file_is_known_to_questions(db):
    texts = {
        "students": "index_number,name\n007123,Ann\n",
        "enrolments": "course_code,index_number,name\nMA1,7123,Ann\n",
        "courses": "code,name\nMA1,x\n",
    }
    tried = run(db, texts, apply=False)["enrolments"]
    assert "7123 is like 007123, of an earlier file, but for zeros" in tried.questions[0].question


def test_nothing_is_written_where_one_of_the_files_cannot_be_read(db):
    with pytest.raises(TableError, match=r"rooms\.csv: The file is empty"):
        run(db, {**TERM, "rooms": ""}, apply=True)
    assert rows(db, Course) == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_known_by_its_columns(kind):
    assert kind_of(KINDS[kind].example.encode()).slug == kind


def test_a_file_of_no_kind_says_what_is_needed():
    with pytest.raises(TableError, match="Needed are, for Rooms: name; Courses: code, name"):
        kind_of(b"shoe,size\n1,2\n")
    with pytest.raises(TableError, match="is empty"):
        kind_of(b"")
