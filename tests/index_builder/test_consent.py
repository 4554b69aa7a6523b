from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.engine import DatabaseError
from attendance.database.models import Student
from index_builder.consent import ClaimedConsents, note_gallery, open_register, without_consent
from index_builder.photos.sources import Claim

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)

Sessions = sessionmaker[Session]


def student(database: Sessions, index_number: str) -> Student:
    with database() as db:
        return db.scalars(sa.select(Student).where(Student.index_number == index_number)).one()


def record(database: Sessions, index_number: str, claim: Claim = Claim(), means: str | None = None) -> str | None:  # noqa: B008
    consents = ClaimedConsents(database, {index_number: claim}, means=means, now=NOW)
    return consents.look_at([index_number]).get(index_number) or consents.admit([index_number]).get(index_number)


def test_nobody_without_consent(database: Sessions) -> None:
    with database.begin() as db:
        db.add(Student(index_number="1001", name="Ana"))
    assert record(database, "1001") == "no consent is recorded"
    assert record(database, "1002") == "the database does not know the student, and no consent is recorded"
    assert without_consent(database, ["1001", "1002"]) == {"1001", "1002"}


def test_consent_that_is_there_stays_as_it_is(database: Sessions, consenting: Callable[..., None]) -> None:
    consenting("1001")
    assert record(database, "1001", Claim("Other", "portal", YESTERDAY), "all") is None
    assert (student(database, "1001").consent_means, student(database, "1001").name) == ("form", "Student 1001")
    assert without_consent(database, ["1001"]) == frozenset()


def test_claims_are_recorded_and_unknown_students_added(database: Sessions) -> None:
    with database.begin() as db:
        db.add(Student(index_number="1001", name="Ana"))
    assert record(database, "1001", means="signed form") is None
    assert record(database, "1002", Claim("Zoë", "portal", YESTERDAY)) is None
    assert record(database, "1003", means="signed form") is None
    found = [student(database, number) for number in ("1001", "1002", "1003")]
    assert [(each.name, each.consent_means, each.consent_given_at) for each in found] == [
        ("Ana", "signed form", NOW),
        ("Zoë", "portal", YESTERDAY),
        ("1003", "signed form", NOW),
    ]


def test_a_withdrawal_outweighs_all_but_a_later_consent(database: Sessions, consenting: Callable[..., None]) -> None:
    consenting("1001")
    with database.begin() as db:
        db.scalars(sa.select(Student)).one().consent_withdrawn_at = YESTERDAY
    assert record(database, "1001", means="all") == "consent was withdrawn"
    assert record(database, "1001", Claim("", "form", YESTERDAY - timedelta(days=9))) == "consent was withdrawn"
    assert without_consent(database, ["1001"]) == {"1001"}
    assert record(database, "1001", Claim("", "new form", NOW)) is None
    again = student(database, "1001")
    assert (again.consent_given_at, again.consent_means, again.consent_withdrawn_at) == (NOW, "new form", None)


def test_consent_is_recorded_for_those_who_are_enrolled(database: Sessions, consenting: Callable[..., None]) -> None:
    consenting("1001", "1004")
    with database.begin() as db:
        db.add(Student(index_number="1002", name="Bo"))
    consents = ClaimedConsents(database, {"1003": Claim("Zoë", "portal", YESTERDAY)}, means="form")
    everybody = ["1001", "1002", "1003", "1004", "1005"]
    assert consents.new(everybody) == ["1003", "1005"]
    assert consents.look_at(everybody) == {}
    with database() as db:
        assert set(db.scalars(sa.select(Student.index_number))) == {"1001", "1002", "1004"}
        assert student(database, "1002").consent_given_at is None
    with database.begin() as db:
        db.execute(sa.update(Student).where(Student.index_number == "1001").values(consent_withdrawn_at=NOW))
        db.execute(sa.delete(Student).where(Student.index_number == "1004"))
    assert consents.admit(["1001", "1003", "1004"]) == {
        "1001": "consent was withdrawn meanwhile",
        "1004": "the student was deleted meanwhile",
    }
    assert (student(database, "1003").name, student(database, "1003").consent_means) == ("Zoë", "portal")
    assert student(database, "1002").consent_given_at is None
    with database() as db:
        assert set(db.scalars(sa.select(Student.index_number))) == {"1001", "1002", "1003"}
    # Saved again later: whoever withdrew since is not, and nobody is made anew.
    with database.begin() as db:
        db.execute(sa.update(Student).where(Student.index_number == "1003").values(consent_withdrawn_at=NOW))
    assert consents.admit(["1003"]) == {"1003": "consent was withdrawn meanwhile"}


def test_case_and_accents_tell_students_apart_and_many_are_asked_at_once(database: Sessions) -> None:
    many = {f"s{number}": Claim() for number in range(1_200)}
    assert ClaimedConsents(database, many, means="form").admit(list(many)) == {}
    assert without_consent(database, [*many, "S1"]) == {"S1"}


def test_the_galleries_counts(database: Sessions, consenting: Callable[..., None]) -> None:
    consenting("1001", "1002")
    note_gallery(database, {"1001": 4, "1009": 1}, now=NOW)
    assert (student(database, "1001").gallery_encodings, student(database, "1001").gallery_updated_at) == (4, NOW)
    assert student(database, "1002").gallery_encodings == 0


def test_without_a_database_there_is_no_consent(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="no database yet"), open_register(f"sqlite:///{tmp_path / 'none.db'}"):
        pass
    assert not (tmp_path / "none.db").exists()
    with (
        pytest.raises(DatabaseError, match="cannot be used"),
        open_register("mysql+pymysql://nobody:secret@127.0.0.1:1/none"),
    ):
        pass
