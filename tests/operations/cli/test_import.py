"""`attendance import`, on SQLite and on MariaDB."""

import csv
import io
import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from attendance.database.models import Account, Course, Enrolment, PasswordLink, QueuedMail, Student
from operations.cli.main import attendance
from tests.factories import make_course, make_student


@pytest.fixture(autouse=True)
def _settings(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    monkeypatch.setenv("ATTENDANCE_WEB_ADDRESS", "https://attendance.example.edu/")
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(attendance, ["import", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def count(db, *models):
    db.rollback()
    return [db.scalar(sa.select(sa.func.count()).select_from(model)) for model in models]


def test_a_trial_writes_nothing_and_apply_does_what_it_said(db):
    file = write("s.csv", "index_number;name\ns1;Ann\ns2;Bob\n")
    done = run("students", file)
    assert done.exit_code == 0
    assert done.output == (
        "Students, s.csv: 2 lines; 2 to be added, 0 to be updated, 0 there already, 0 refused\n"
        "This was a trial: nothing is written. With --apply the 2 lines that are good are imported.\n"
    )
    assert count(db, Student) == [0]
    assert (
        "With --apply the 1 line that is good is imported.\n"
        in run("students", write("1.csv", "index_number,name\ns1,A")).output
    )
    done = run("students", file, "--apply")
    assert (done.exit_code, done.output) == (
        0,
        "Students, s.csv: 2 lines; 2 added, 0 updated, 0 there already, 0 refused\nImported.\n",
    )
    assert count(db, Student) == [2]
    assert "Nothing to import." in run("students", file).output


def test_refused_lines_are_grouped_and_the_good_ones_imported(db):
    make_course(db, "OK")
    db.commit()
    lines = "".join(f"XX,s{n},Student {n}\n" for n in range(300))
    file = write("e.csv", f"course_code,index_number,name\n{lines}OK,s1,Ann\n,s2,Bob\n")
    done = run("enrolments", file, "--apply")
    assert done.exit_code == 1
    assert "  refused  300 lines (2 to 301): There is no course with the code XX.\n" in done.output
    assert "  refused  line 303: course_code is empty.\n" in done.output
    assert "  missing  1 courses: XX; --create courses makes them\n" in done.output
    assert count(db, Enrolment, Course) == [1, 1]
    assert run("enrolments", file, "--create", "courses", "--apply").exit_code == 1, "one line is bad still"
    assert count(db, Enrolment, Course) == [301, 2]


def test_several_files_find_each_other_and_lecturers_get_links(db):
    files = [
        *("enrolments", write("e.csv", "course_code,index_number,name\nMA1,s1,Ann\n")),
        *("lecturers", write("l.csv", "email,name,course_code\nada@example.edu,Ada,MA1\nbob@example.edu,Bob,\n")),
        *("courses", write("c.csv", "code,name\nMA1,Algebra\n")),
    ]
    done = run(*files, "--apply", "--links", "links.csv", "--report", "report.csv")
    assert (done.exit_code, count(db, Course, Enrolment, Account, PasswordLink)) == (0, [1, 1, 2, 2]), done.output
    assert "Wrote 2 links to set a password to links.csv." in done.output
    assert "pw_" not in done.output
    assert stat.S_IMODE(Path("links.csv").stat().st_mode) == stat.S_IMODE(Path("report.csv").stat().st_mode) == 0o600
    rows = list(csv.reader(io.StringIO(Path("links.csv").read_text("utf-8-sig"))))
    assert [row[:2] for row in rows] == [["name", "email"], ["Ada", "ada@example.edu"], ["Bob", "bob@example.edu"]]
    assert all(row[2].startswith("https://attendance.example.edu/password?link=pw_") for row in rows[1:])
    again = run("lecturers", "l.csv", "--apply", "--links", "links.csv")
    assert (again.exit_code, "links.csv is there already" in again.output) == (1, True)


def test_likely_damage_needs_a_word(db):
    make_student(db, "007123")
    db.commit()
    file = write("s.csv", "index_number,name\n7123,Ann\ns2,Bob\n")
    done = run("students", file, "--apply")
    assert done.exit_code == 1
    assert "  please check  line 2: 7123 is like 007123, who is there already, but for zeros" in done.output
    assert "Nothing is written." in done.output
    assert count(db, Student) == [1]
    assert run("students", file, "--apply", "--checked").exit_code == 0
    assert count(db, Student) == [3]


def test_the_report_as_json_and_as_a_file(db):
    write("s.csv", "index_number,name\ns1,Ann\n,Bob\n")
    done = run("students", "s.csv", "--json", "--report", "r.csv")
    report = json.loads(done.output)
    assert (done.exit_code, report["applied"], report["files"][0]["kind"]) == (1, False, "students")
    assert report["files"][0]["counts"] == {"added": 1, "updated": 0, "unchanged": 0, "refused": 1}
    rows = list(csv.reader(io.StringIO(Path("r.csv").read_text("utf-8-sig"))))
    assert rows == [
        ["file", "line", "result", "column", "message", "content"],
        ["s.csv", "3", "refused", "index_number", "index_number is empty.", ",Bob"],
    ]


def test_a_pattern_holds_for_the_command_too(db, monkeypatch):
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "[0-9]{6}")
    done = run("students", write("s.csv", "index_number,name\n240101,Ann\n7123,Bob\n"), "--apply")
    assert "'7123' does not look like the index numbers here ([0-9]{6})" in done.output
    assert count(db, Student) == [1]
    monkeypatch.setenv("ATTENDANCE_INSTITUTION_INDEX_PATTERN", "(")
    done = run("students", "s.csv")
    assert (done.exit_code, "ATTENDANCE_INSTITUTION_INDEX_PATTERN: is no regular expression" in done.output) == (
        2,
        True,
    )


def refused(*arguments: str) -> str:
    done = run(*arguments)
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output
    return done.output


def test_files_that_cannot_be_read_are_named(db, tmp_path):
    assert "Error: cannot read nowhere.csv: No such file or directory" in refused("students", "nowhere.csv")
    assert f"Error: cannot read {tmp_path}: Is a directory" in refused("students", str(tmp_path))
    assert "Error: empty.csv: The file is empty." in refused("students", write("empty.csv", ""))
    assert "rooms.csv: The file lacks the column name." in refused("rooms", write("rooms.csv", "house\nx\n"))
    Path("cp.csv").write_bytes("index_number,name\n1,Żak\n".encode("cp1250"))
    assert "cp.csv: The file is not in UTF-8 (line 2 holds the byte 0xAF)" in refused("students", "cp.csv")
    assert "shoes is no kind of file; there are rooms, courses, students" in refused("shoes", "cp.csv")
    assert "name a KIND and a FILE" in refused("students")


def test_what_stands_in_a_file_does_not_move_the_cursor(db):
    output = refused("students", write("s.csv", "index_number,name,\x1b[2J\ns1,\x1b[2Jx\n"))
    assert "\x1b" not in output


def test_links_need_the_address_of_the_dashboard(db, monkeypatch):
    monkeypatch.delenv("ATTENDANCE_WEB_ADDRESS")
    file = write("l.csv", "email,name\nada@example.edu,Ada\n")
    done = run("lecturers", file, "--apply", "--links", "links.csv")
    assert (done.exit_code, "ATTENDANCE_WEB_ADDRESS" in done.output, count(db, Account)) == (2, True, [0])


def test_links_by_the_command_of_lecturers(db):
    run("lecturers", write("l.csv", "email,name\nada@example.edu,Ada\n"), "--apply")
    runner = CliRunner()
    done = runner.invoke(attendance, ["lecturer", "links", "all.csv"])
    assert (done.exit_code, count(db, PasswordLink)) == (0, [1]), done.output
    done = runner.invoke(attendance, ["lecturer", "links", "one.csv", "ada@example.edu"])
    assert (done.exit_code, count(db, PasswordLink)) == (0, [1]), "the first one ended"
    done = runner.invoke(attendance, ["lecturer", "links", "x.csv", "eve@example.edu"])
    assert (done.exit_code, Path("x.csv").exists()) == (1, False)


def test_links_are_mailed_without_a_file(db, monkeypatch):
    """They are made when the mail is sent, so none is there before."""
    run("lecturers", write("l.csv", "email,name\nada@example.edu,Ada\nkurt@example.edu,Kurt\n"), "--apply")
    runner = CliRunner()
    refused = runner.invoke(attendance, ["lecturer", "links", "--mail"])
    assert (refused.exit_code, "ATTENDANCE_MAIL_HOST" in refused.output) == (2, True), refused.output
    monkeypatch.setenv("ATTENDANCE_MAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("ATTENDANCE_MAIL_SENDER", "attendance@example.edu")
    assert runner.invoke(attendance, ["lecturer", "links"]).exit_code == 2
    unknown = runner.invoke(attendance, ["lecturer", "links", "--mail", "eve@example.edu"])
    assert (unknown.exit_code, "eve@example.edu" in unknown.output) == (1, True)
    one = runner.invoke(attendance, ["lecturer", "links", "--mail", "ada@example.edu"])
    assert (one.exit_code, "Queued 1 link" in one.output) == (0, True), one.output
    both = runner.invoke(attendance, ["lecturer", "links", "--mail"])
    assert "Queued 2 links" in both.output
    assert count(db, PasswordLink) == [0]
    db.rollback()
    mails = db.execute(sa.select(QueuedMail.kind, QueuedMail.recipient).order_by(QueuedMail.id)).all()
    assert mails == [("invitation", f"{name}@example.edu") for name in ("ada", "ada", "kurt")]


def test_the_command_needs_no_page() -> None:
    """It runs where the packages of the dashboard are not installed."""
    code = "import sys; sys.modules['flask'] = sys.modules['wtforms'] = None; import operations.cli.imports"
    subprocess.run([sys.executable, "-c", code], check=True)
