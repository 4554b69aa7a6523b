"""`attendance student`: address, language, consent so far, and a link for once."""

import re

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from sqlalchemy.orm import Session

from attendance.database.access.student_links import student_of_link
from attendance.database.consent import BY_STUDENT, give_consent
from attendance.database.models import Student, utc_now
from operations.cli.main import attendance
from tests.factories import NINE, is_signed_in, make_sign_in, make_student


@pytest.fixture(autouse=True)
def _students(db: Session, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)
    ann = make_student(db, "s1", "Ann")
    give_consent(db, ann, given_at=NINE, means="own page", recorder=BY_STUDENT)
    make_student(db, "s2", "Bob").email = "bob@example.edu"
    db.commit()


def type_(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(attendance, ["student", *words])
    return done.exit_code, done.output


def test_sets_and_shows_an_address_and_a_language(db: Session) -> None:
    ann = db.scalars(sa.select(Student).where(Student.name == "Ann")).one()
    before = make_sign_in(db, ann)
    db.commit()
    assert type_("set", "s1", "--email", "Ann@Example.edu", "--language", "fr") == (0, "s1 is saved.\n")
    status, said = type_("show", "s1")
    assert status == 0
    assert "e-mail address: ann@example.edu; language: fr" in said
    assert "consent given 2026-11-23 09:00 UTC, by own page (recorded: student)" in said
    assert not is_signed_in(db, before)  # each change of the address ends what it opened
    between = make_sign_in(db, ann)
    db.commit()
    assert is_signed_in(db, between)
    db.rollback()
    assert type_("set", "s1", "--email", "", "--language", "")[0] == 0
    assert not is_signed_in(db, between)
    db.refresh(ann)
    assert (ann.email, ann.language) == (None, None)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("set", "s1", "--email", "bob@example.edu"), "bob@example.edu is the address of s2 already."),
        (("set", "s1", "--email", "nonsense"), "The address 'nonsense' is no e-mail address"),
        (("set", "s1", "--language", "fr ench"), "The language 'fr ench' is no code of a language, like en or fr."),
        (("set", "s1"), "name --email or --language"),
        (("show", "s3"), "There is no student with index number s3."),
        (("link", "s1"), "ATTENDANCE_WEB_ADDRESS: must say where people open the dashboard"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], sentence: str) -> None:
    status, said = type_(*words)
    assert status != 0
    assert sentence in said
    assert "Traceback" not in said


def test_prints_a_link(db: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_WEB_ADDRESS", "https://attendance.example.edu")
    status, said = type_("link", "s1")
    assert status == 0
    found = re.search(r"https://attendance\.example\.edu/me/link\?link=(\S+)", said)
    assert found
    student = student_of_link(db, found[1], now=utc_now())
    assert student is not None
    assert student.name == "Ann"
