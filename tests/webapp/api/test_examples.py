"""The examples do what they say, against a real dashboard."""

import subprocess
import sys
from datetime import timedelta

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.models import SessionState, Status, utc_now
from docs.from_code.__main__ import ROOT
from tests.factories import make_session
from tests.webapp.reports.terms import make_term

DAY = timedelta(days=1)


def run(dashboard, token, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "examples/mark_and_list.py", *arguments],
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
