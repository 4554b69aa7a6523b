"""Importing students, enrolments and lecturers, on SQLite and on MariaDB."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from attendance.database.access.passwords import verify_password
from attendance.database.access.student_links import make_student_link
from attendance.database.consent import by_account
from attendance.database.models import (
    Account,
    AccountRole,
    ConsentChange,
    ConsentRecorder,
    Course,
    Department,
    Enrolment,
    Erasure,
    ErasureKind,
    Role,
    Student,
    StudentLink,
    utc_now,
)
from attendance.tables.fields import INDEX_NUMBER
from attendance.tables.reading import read_table
from tests.factories import (
    enrol,
    is_signed_in,
    make_course,
    make_department,
    make_lecturer,
    make_sign_in,
    make_student,
)
from webapp.imports.enrolments import EnrolmentImporter
from webapp.imports.kinds import KINDS
from webapp.imports.lecturers import LecturerImporter
from webapp.imports.report import Outcome, Result
from webapp.imports.run import run_import
from webapp.imports.students import StudentImporter
from webapp.imports.together import ImportFile, Importing

WARSAW = ZoneInfo("Europe/Warsaw")


def students():
    return StudentImporter(WARSAW)


def imported(db, make_importer, text, *, apply=True):
    """Import the text; the report, and what became of each line."""
    importer = make_importer()
    outcomes: list[Outcome] = []
    table = read_table(text.encode(), importer.columns)
    report = run_import(db, table, importer, apply=apply, on_outcome=outcomes.append)
    return report, [(outcome.line, outcome.result.value, outcome.message) for outcome in outcomes]


def rows(db, *columns):
    return [tuple(row) for row in db.execute(sa.select(*columns).order_by(*columns))]


def counts(report):
    return {name: count for name, count in report.counts.items() if count}


def test_addresses_belong_to_one_student_each_and_a_new_one_ends_what_the_old_one_opened(db):
    imported(
        db, students, "index_number,name,email,language\ns1,A,One@Example.edu,FR\ns2,B,,\ns3,C,three@example.edu,\n"
    )
    assert rows(db, Student.index_number, Student.email, Student.language) == [
        ("s1", "one@example.edu", "fr"), ("s2", None, None), ("s3", "three@example.edu", None),
    ]  # fmt: skip
    one = db.scalars(sa.select(Student.id).where(Student.index_number == "s1")).one()
    make_student_link(db, one, now=datetime.now(UTC), lifetime=timedelta(hours=1))
    signed_in = [make_sign_in(db, each) for each in db.scalars(sa.select(Student).order_by(Student.id).limit(2))]
    db.commit()
    text = (
        "index_number,name,email\ns1,A,new@example.edu\ns2,B,three@example.edu\ns4,D,four@example.edu\n"
        "s5,E,four@example.edu\ns6,F,nonsense\ns3,C,\n"
    )
    for apply in (False, True):
        _, outcomes = imported(db, students, text, apply=apply)
        assert outcomes == [
            (2, "updated", "s1 is already there; the e-mail address becomes new@example.edu"),
            (3, "refused", "three@example.edu is the address of s3 already. Each student has an address of their own."),
            (4, "added", ""),
            (5, "refused", "four@example.edu is the address of s4 already. Each student has an address of their own."),
            (6, "refused", "email 'nonsense' is no e-mail address, like name@university.edu."),
            (7, "unchanged", ""),
        ]
    assert rows(db, Student.index_number, Student.email) == [
        ("s1", "new@example.edu"), ("s2", None), ("s3", "three@example.edu"), ("s4", "four@example.edu"),
    ]  # fmt: skip
    assert [is_signed_in(db, token) for token in signed_in] == [False, True]
    assert rows(db, StudentLink.id) == []


def test_each_consent_of_a_file_is_kept_as_a_change_with_who_imported_it(db):
    imported(db, students, "index_number,name,consent_date,consent_means\ns1,A,2026-10-01,form\ns2,B,,\n")
    importing = Importing(WARSAW, INDEX_NUMBER, recorder=by_account(make_lecturer(db).id))
    text = b"index_number,name,consent_date,consent_means\ns1,A,2026-10-01,portal\ns2,B,2026-10-02,\ns3,C,,\n"
    importing.run(db, [ImportFile(KINDS["students"], "s.csv", text)], apply=True)
    importing.run(db, [ImportFile(KINDS["students"], "s.csv", text)], apply=True)  # nothing changes
    changes = sa.select(Student.index_number, ConsentChange.means, ConsentChange.recorder)
    joined = changes.join(ConsentChange, ConsentChange.student_id == Student.id).order_by(ConsentChange.id)
    by_command, by_lecturer = ConsentRecorder.COMMAND, ConsentRecorder.ACCOUNT
    assert [tuple(row) for row in db.execute(joined)] == [
        ("s1", "form", by_command), ("s1", "portal", by_lecturer), ("s2", None, by_lecturer),
    ]  # fmt: skip


MANY = "index_number;name\n" + "".join(f"s{number:05d};Student {number}\n" for number in range(1203))


def test_adds_students_in_batches_and_changes_nothing_the_second_time(db):
    report, _ = imported(db, students, MANY)
    assert (report.lines, report.records, counts(report)) == (1203, 1203, {"added": 1203})
    before = rows(db, Student.id, Student.index_number, Student.name, Student.created_at)
    again, _ = imported(db, students, MANY)
    assert (counts(again), again.changes) == ({"unchanged": 1203}, [])
    assert rows(db, Student.id, Student.index_number, Student.name, Student.created_at) == before


def test_trying_a_file_writes_nothing_and_reports_the_same(db):
    make_student(db, "s1", "Old Name")
    db.commit()
    text = "index_number,name\ns1,New Name\ns2,Added\n,Nobody\n"
    tried = imported(db, students, text, apply=False)
    assert rows(db, Student.index_number, Student.name) == [("s1", "Old Name")]
    assert imported(db, students, text) == tried
    assert rows(db, Student.index_number, Student.name) == [("s1", "New Name"), ("s2", "Added")]


def test_good_lines_go_in_and_bad_ones_are_named(db):
    make_student(db, "s5", "Was There")
    make_student(db, "s6", "Same")
    db.commit()
    text = "\n".join(
        [
            "index_number,name",
            "s1,Ann Ą",
            ",No Number",
            "s2,",
            "s1,Ann Again",
            's3,"Bro"ken',
            "s4," + "x" * 121,
            "s5,Is There",
            "",
            "s6,Same",
            "s\u200b7,Invisible",
            "s8,Nu\0l",
            "s9,=cmd|' /C calc'!A0",
            "x" * 65 + ",Long Number",
        ]
    )
    report, outcomes = imported(db, students, text)
    said = {line: (result, message) for line, result, message in outcomes}
    assert said[2] == ("added", "")
    assert said[3] == ("refused", "index_number is empty.")
    assert said[4] == ("refused", "name is empty.")
    assert said[5] == ("refused", "Index number s1 is already on line 2; that line counts.")
    assert "quotation marks" in said[6][1]
    assert said[7] == ("refused", "name has 121 characters; at most 120 fit.")
    assert said[8] == ("updated", "s5 is already there; the name changes from Was There to Is There")
    assert said[10] == ("unchanged", "")
    assert said[11] == ("refused", "index_number holds an invisible character (U+200B).")
    assert "NUL" in said[12][1]
    assert said[13] == ("added", "")
    assert said[14] == ("refused", "index_number has 65 characters; at most 64 fit.")
    assert sorted(said) == [2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14]
    assert counts(report) == {"added": 2, "updated": 1, "unchanged": 1, "refused": 8}
    assert [outcome.line for outcome in report.refused] == [3, 4, 5, 6, 7, 11, 12, 14]
    assert report.refused[1].content == "s2,"
    assert dict(rows(db, Student.index_number, Student.name)) == {
        "s1": "Ann Ą",
        "s5": "Is There",
        "s6": "Same",
        "s9": "=cmd|' /C calc'!A0",
    }


def test_index_numbers_are_told_apart_byte_by_byte(db):
    report, _ = imported(db, students, "index_number,name\nab1,A\nAB1,B\ne1,C\né1,D\n")
    assert counts(report) == {"added": 4}
    assert len(rows(db, Student.index_number)) == 4


def test_consent_is_recorded_and_an_empty_one_leaves_it(db):
    text = (
        "index_number,name,consent_given,consent_means\ns1,Ann,2026-10-01,signed form\ns2,Bob,01.10.2026,\ns3,Cid,,\n"
    )
    imported(db, students, text)
    midnight = datetime(2026, 9, 30, 22, tzinfo=UTC)
    expected = [("s1", midnight, "signed form"), ("s2", midnight, None), ("s3", None, None)]
    consent = (Student.index_number, Student.consent_given_at, Student.consent_means)
    assert rows(db, *consent) == expected
    assert counts(imported(db, students, text)[0]) == {"unchanged": 3}
    assert counts(imported(db, students, "index_number,name\ns1,Ann\ns2,Bob\n")[0]) == {"unchanged": 2}
    assert rows(db, *consent) == expected
    _, outcomes = imported(db, students, "index_number,name,consent_given\ns1,Ann,2026-10-02\n")
    assert outcomes == [(2, "updated", "s1 is already there; consent given on 2026-10-02")]
    text = "index_number,name,consent_given,consent_means\ns1,Ann,2026-10-02,portal\n"
    assert imported(db, students, text)[1] == [(2, "updated", "s1 is already there; consent by portal")]


def test_a_declared_group_is_recorded_and_an_empty_one_leaves_it(db):
    text = "index_number,name,consent_date,consent_means,declared_group\ns1,Ann,2026-10-01,form,Group A\ns2,Bob,,,\n"
    imported(db, students, text)
    assert rows(db, Student.index_number, Student.declared_group) == [("s1", "Group A"), ("s2", None)]
    assert counts(imported(db, students, text)[0]) == {"unchanged": 2}
    _, outcomes = imported(db, students, "index_number,name,declared_group\ns1,Ann,\ns2,Bob,B\ns3,Cid," + "x" * 81)
    assert outcomes == [
        (2, "unchanged", ""),
        (3, "updated", "s2 is already there; the declared group changes"),
        (4, "refused", "declared_group has 81 characters; at most 80 fit."),
    ]
    assert rows(db, Student.index_number, Student.declared_group) == [("s1", "Group A"), ("s2", "B")]


def test_after_a_withdrawal_only_a_later_consent_counts(db):
    for number in ("s1", "s2", "s3", "s4"):
        make_student(db, number, "Ann").consent_withdrawn_at = datetime(2026, 10, 10, 12, tzinfo=UTC)
    asked = {"kind": ErasureKind.WITHDRAWAL, "recorder": ConsentRecorder.STUDENT}
    db.add(Erasure(index_number="s3", **asked))
    db.add(Erasure(index_number="s4", finished_at=utc_now(), **asked))
    db.commit()
    text = "index_number,name,consent_date\ns1,Ann,2026-10-10\ns2,Ann,\ns3,Ann,2026-10-11\ns4,Ann,2026-10-11\n"
    tried = imported(db, students, text, apply=False)
    assert imported(db, students, text) == tried
    assert tried[1] == [
        (2, "refused", "s1 withdrew the consent on 2026-10-10. Only one that was given later counts."),
        (3, "unchanged", ""),
        (4, "refused", "s3 is being erased. Import this line again when that is done."),
        (5, "updated", "s4 is already there; consent given on 2026-10-11"),
    ]
    withdrawn = sa.select(Student.index_number).where(Student.consent_withdrawn_at.is_not(None))
    assert sorted(db.scalars(withdrawn)) == ["s1", "s2", "s3"]


def test_refuses_consent_that_makes_no_sense(db):
    wrong = [
        ("soon", "", "consent_date 'soon' is no date. Write it like 2026-10-05 or 05.10.2026."),
        ("05/10/2026", "", "consent_date '05/10/2026' is no date."),
        ("2026-02-30", "", "is no date"),
        ("1026-02-03", "", "is no date"),
        ("2099-01-01", "", "is in the future"),
        ("", "signed form", "without the day"),
        ("2026-10-01", "x" * 121, "consent_means has 121 characters"),
    ]
    lines = [f"s{number},Ann,{given},{means}" for number, (given, means, _) in enumerate(wrong)]
    text = "\n".join(["index_number,name,consent_date,consent_means", *lines])
    _, outcomes = imported(db, students, text)
    assert [result for _, result, _ in outcomes] == ["refused"] * len(wrong)
    for (_, _, message), (_, _, said) in zip(wrong, outcomes, strict=True):
        assert message in said


def test_a_student_added_meanwhile_by_somebody_else_is_found(db, sessions, monkeypatch):
    """Between the look and the write of a batch another administrator adds the same student."""
    importer = students()
    handle = importer.handle
    raced: list[bool] = []

    def handle_after_race(session, batch, *, apply):
        if not raced:
            raced.append(True)
            outcomes = handle(session, batch, apply=False)
            session.rollback()
            with sessions() as other:
                make_student(other, "s1", "Ann")
                other.commit()
            session.execute(sa.insert(Student), [{"index_number": "s1", "name": "Ann"}])
            return outcomes
        return handle(session, batch, apply=apply)

    monkeypatch.setattr(importer, "handle", handle_after_race)
    report = run_import(db, read_table(b"index_number,name\ns1,Ann\ns2,Bob\n", importer.columns), importer, apply=True)
    assert counts(report) == {"added": 1, "unchanged": 1}
    assert rows(db, Student.index_number) == [("s1",), ("s2",)]


ENROLMENTS = "course_code;index_number;name\nMA1;s1;\nMA1;s2;Bob\nPH1;s2;\nPH1;s1;Other Name\n"


def test_enrols_and_adds_students_whose_name_is_given(db):
    make_course(db, "MA1")
    make_course(db, "PH1")
    make_student(db, "s1", "Ann")
    db.commit()
    tried = imported(db, EnrolmentImporter, ENROLMENTS, apply=False)
    assert rows(db, Enrolment.course_id) == []
    report, outcomes = imported(db, EnrolmentImporter, ENROLMENTS)
    assert (report, outcomes) == tried
    assert counts(report) == {"added": 4}
    assert rows(db, Student.index_number, Student.name) == [("s1", "Ann"), ("s2", "Bob")]
    assert len(rows(db, Enrolment.course_id, Enrolment.student_id)) == 4
    assert counts(imported(db, EnrolmentImporter, ENROLMENTS)[0]) == {"unchanged": 4}


def test_bad_enrolments_are_named(db):
    make_course(db, "MA1")
    enrol(db, make_course(db, "PH1"), make_student(db, "s1"))
    db.commit()
    text = "course_code,index_number\nma1,s1\nXX9,s1\nMA1,s9\nPH1,s1\nMA1,s1\nMA1,s1\n,s1\n"
    _, outcomes = imported(db, EnrolmentImporter, text)
    assert outcomes == [
        (2, "refused", "There is no course with the code ma1. Did you mean MA1?"),
        (3, "refused", "There is no course with the code XX9."),
        (4, "refused", "There is no student with index number s9. Give a name to add one."),
        (5, "unchanged", ""),
        (6, "added", ""),
        (7, "refused", "Index number s1 in MA1 is already on line 6; that line counts."),
        (8, "refused", "course_code is empty."),
    ]


def test_a_student_added_in_one_batch_is_known_in_the_next(db, monkeypatch):
    monkeypatch.setattr(EnrolmentImporter, "batch_size", 1)
    make_course(db, "MA1")
    make_course(db, "PH1")
    db.commit()
    text = "course_code,index_number,name\nMA1,s1,Ann\nPH1,s1,\n"
    assert counts(imported(db, EnrolmentImporter, text, apply=False)[0]) == {"added": 2}
    assert counts(imported(db, EnrolmentImporter, text)[0]) == {"added": 2}


LECTURERS = (
    "email,name,course_code\nAda@Example.edu,Ada Lovelace,MA1\nada@example.edu,Ada Lovelace,PH1\nbob@example.edu,Bob,\n"
)


def test_adds_lecturers_whom_nobody_can_impersonate(db):
    make_course(db, "MA1")
    make_course(db, "PH1")
    db.commit()
    tried = imported(db, LecturerImporter, LECTURERS, apply=False)
    report, outcomes = imported(db, LecturerImporter, LECTURERS)
    assert (report, outcomes) == tried
    assert (counts(report), report.records) == ({"added": 3}, 2)
    assert any("password" in note for note in report.notes)
    added = db.scalars(sa.select(Account).order_by(Account.email)).all()
    assert [(one.email, {role.role for role in one.roles}, one.active) for one in added] == [
        ("ada@example.edu", {Role.LECTURER}, True),
        ("bob@example.edu", set(), True),
    ]
    assert not verify_password(added[0].password_hash, "")
    assert len(rows(db, AccountRole.course_id, AccountRole.account_id)) == 2
    again, _ = imported(db, LecturerImporter, LECTURERS)
    assert (counts(again), again.notes) == ({"unchanged": 3}, [])


def test_bad_lecturers_are_named_and_others_keep_their_names(db):
    make_lecturer(db, email="ada@example.edu", name="Ada")
    db.commit()
    text = "email,name,course_code\nada@example.edu,Countess,\nnobody,X,\nx@example.edu,,\ny@example.edu,Y,ZZ\n"
    _, outcomes = imported(db, LecturerImporter, text)
    assert outcomes == [
        (2, "unchanged", "ada@example.edu is already there as Ada; that name stays."),
        (3, "refused", "email 'nobody' is no e-mail address, like name@university.edu."),
        (4, "refused", "name is empty."),
        (5, "refused", "There is no course with the code ZZ."),
    ]
    assert rows(db, Account.email, Account.name) == [("ada@example.edu", "Ada")]


def test_columns_that_mean_nothing_are_noted(db):
    report, _ = imported(db, students, "index_number,name,shoe size\ns1,Ann,38\n")
    assert report.notes == ["Not used, because nothing here is called so: shoe size."]


def test_a_report_survives_being_written_down(db):
    report, _ = imported(db, students, "index_number,name\ns1,Ann\n,B\n")
    assert type(report).from_json(report.to_json()) == report
    assert report.refused[0].result is Result.REFUSED


def test_a_long_file_takes_bulk_statements_only(db, engine):
    """The number of statements grows with the number of batches, not with that of lines."""
    make_course(db, "MA1")
    db.commit()
    statements = []
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _k, text, *_rest: statements.append(text))
    text = "course_code,index_number,name\n" + "".join(f"MA1,s{n},Student {n}\n" for n in range(20_000))
    report, _ = imported(db, EnrolmentImporter, text)
    assert counts(report) == {"added": 20_000}
    assert len(statements) < 8 * 20_000 / EnrolmentImporter.batch_size
    assert not [one for one in statements if re.match(r"(?i)delete|drop", one)]
    assert db.scalar(sa.select(sa.func.count()).select_from(Course)) == 1


ROLES = (
    "email,name,course_code,role,department\n"
    "ada@example.edu,Ada,MA1,,\nada@example.edu,Ada,,head,Mathematics\n"
    "bob@example.edu,Bob,MA1,Assistant,\ncyd@example.edu,Cyd,PH1,lecturer,\n"
)


def roles_of(db):
    query = (
        sa.select(Account.email, AccountRole.role, Course.code, Department.name)
        .join(AccountRole.account)
        .outerjoin(AccountRole.course)
        .outerjoin(AccountRole.department)
    )
    return {tuple(row) for row in db.execute(query)}


def test_a_line_says_whether_somebody_teaches_assists_or_heads(db):
    make_course(db, "MA1")
    physics = make_course(db, "PH1")
    make_department(db, "Mathematics")
    make_lecturer(db, email="cyd@example.edu", name="Cyd", role=Role.ASSISTANT, of=physics)
    db.commit()
    tried = imported(db, LecturerImporter, ROLES, apply=False)
    report, outcomes = imported(db, LecturerImporter, ROLES)
    assert (report, outcomes) == tried
    assert (counts(report), report.records) == ({"added": 3, "updated": 1}, 2)
    assert outcomes[-1] == (5, "updated", "cyd@example.edu was assistant of PH1 and is lecturer now")
    assert roles_of(db) == {
        ("ada@example.edu", Role.LECTURER, "MA1", None),
        ("ada@example.edu", Role.DEPARTMENT, None, "Mathematics"),
        ("bob@example.edu", Role.ASSISTANT, "MA1", None),
        ("cyd@example.edu", Role.LECTURER, "PH1", None),
    }
    assert counts(imported(db, LecturerImporter, ROLES)[0]) == {"unchanged": 4}
    silent = "email,name,course_code\nbob@example.edu,Bob,MA1\n"
    assert counts(imported(db, LecturerImporter, silent)[0]) == {"unchanged": 1}, "who assists goes on assisting"


def test_everybodys_department_is_passed_over_with_a_note(db):
    """As staff offices write it, also of departments that are not here; heads alone get a role from it."""
    make_course(db, "MA1")
    make_department(db, "Mathematics")
    db.commit()
    text = (
        "email,name,course_code,role,department\n"
        "ada@example.edu,Ada,MA1,lecturer,Mathematics\n"
        "bob@example.edu,Bob,,,Registry\n"
        "cyd@example.edu,Cyd,,head,Mathematics\n"
    )
    tried = imported(db, LecturerImporter, text, apply=False)
    report, outcomes = imported(db, LecturerImporter, text)
    assert (report, outcomes) == tried
    assert counts(report) == {"added": 3}
    note = "Lines with a department of somebody who is no head of it: 2. It was passed over."
    assert [each.startswith(note) for each in report.notes] == [False, True]
    assert roles_of(db) == {
        ("ada@example.edu", Role.LECTURER, "MA1", None),
        ("cyd@example.edu", Role.DEPARTMENT, None, "Mathematics"),
    }


def test_roles_that_make_no_sense_are_refused(db):
    make_course(db, "MA1")
    make_department(db, "Mathematics")
    db.commit()
    head = "email,name,course_code,role,department\n"
    for line, message in (
        ("MA1,emperor,", "role 'emperor' is none of lecturer, assistant, head. Administrators are made by hand."),
        ("MA1,administrator,", "role 'administrator' is none of lecturer, assistant, head. Administrators are made by"),
        (",head,", "A head needs a department. Write its name under department."),
        ("MA1,head,Mathematics", "A line gives one role: of the department or in the course. Write two lines."),
        (",assistant,", "An assistant needs a course."),
        (",head,Alchemy", "There is no department called Alchemy."),
    ):
        _, outcomes = imported(db, LecturerImporter, f"{head}ada@example.edu,Ada,{line}\n")
        assert outcomes[0][1] == "refused"
        assert outcomes[0][2].startswith(message), outcomes
    assert rows(db, Account.email) == []
