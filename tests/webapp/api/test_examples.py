"""The examples do what they say, against a real dashboard."""

import subprocess
import sys
from datetime import timedelta

import sqlalchemy as sa

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.models import AuditEntry, Course, Enrolment, Role, SessionState, Status, Student, utc_now
from docs.from_code.__main__ import ROOT
from tests.factories import make_lecturer, make_session
from tests.webapp.reports.terms import make_term

DAY = timedelta(days=1)


def run(dashboard, token, *arguments, script="mark_and_list.py"):
    return subprocess.run(
        [sys.executable, ROOT / "examples" / script, *arguments],
        env={"API_ADDRESS": dashboard.address, "API_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_student_is_marked_and_those_at_risk_are_listed(dashboard):
    with dashboard.sessions() as db:
        term = make_term(db, {"Ada": "PAAA", "Kurt": "PPPP"}, code="MAT101")
        ada = term.students["Ada"]
        off = make_session(db, term.course, starts_at=utc_now() - timedelta(hours=1))
        off.state = SessionState.CANCELLED  # it has no register
        new = NewToken("Script", ("read", "correct", "term"), [term.course], DAY)
        _row, token = make_access_token(db, term.lecturer, new, now=utc_now())
        db.commit()
        done = run(dashboard, token, "MAT101", ada.index_number, "late")
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == ["Ada: late", f"{ada.index_number} Ada: 50% of 75% asked for"]
        again = run(dashboard, token, "MAT101", ada.index_number, Status.PRESENT.value)
        assert again.stdout.startswith("Ada: present")
    refused = run(dashboard, "att_wrong", "MAT101", ada.index_number, "late")
    assert "401" in refused.stderr


def test_students_and_a_course_are_kept_in_step(dashboard, tmp_path):
    with dashboard.sessions() as db:
        admin = make_lecturer(db, role=Role.ADMIN)
        new = NewToken("Records", ("read", "students", "courses"), None, DAY)
        _row, token = make_access_token(db, admin, new, now=utc_now())
        db.commit()
    file = tmp_path / "roster.csv"

    def kept(*lines):
        file.write_text("\n".join(["index_number,name,email", *lines, ""]), encoding="utf-8")
        return run(dashboard, token, "STEP1", "In step", file, script="keep_in_step.py")

    first = kept("step1,Ada Lovelace,Ada.L@Example.edu", "step2,Kurt,", "step3,Emmy,")
    assert first.returncode == 0, first.stderr
    three = ("step1", "step2", "step3")
    done = ["added STEP1", *(f"added {one}" for one in three), *(f"enrolled {one}" for one in three)]
    assert sorted(first.stdout.splitlines()) == done
    with dashboard.sessions() as db:
        newest = db.scalar(sa.select(sa.func.max(AuditEntry.id)))
    again = kept("step1,Ada Lovelace,Ada.L@Example.edu", "step2,Kurt,", "step3,Emmy,")
    assert (again.returncode, again.stdout) == (0, "")
    changed = kept("step1,Ada King,ada.l@example.edu", "step2,Kurt,kurt@example.edu")
    assert sorted(changed.stdout.splitlines()) == ["changed step1: name", "changed step2: email", "took off step3"]
    with dashboard.sessions() as db:
        theirs = sa.select(Student.name).join(Enrolment).join(Course).where(Course.code == "STEP1")
        assert set(db.scalars(theirs)) == {"Ada King", "Kurt"}
        since = sa.select(AuditEntry.action).where(AuditEntry.id > newest)
        assert sorted(db.scalars(since)) == ["enrolment.removed", "student.changed", "student.changed"]
    too_many = kept("step9,Only One,")
    assert "2 of 2 students would be taken off STEP1" in too_many.stderr
    wrong = kept("=1+1,Formula,", "step1,Ada King,ada.l@example.edu", "step2,Kurt,kurt@example.edu")
    assert "#/index_number" in wrong.stderr
