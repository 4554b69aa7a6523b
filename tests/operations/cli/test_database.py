"""`attendance db`, `camera`, `lecturer` and `token`, as an operator types them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.access.passwords import password_problem, verify_password
from attendance.database.access.tokens import api_token_of, camera_of
from attendance.database.models import (
    Account,
    AccountRole,
    ApiToken,
    Attendance,
    Camera,
    LtiRegistrationAddress,
    PasswordLink,
    Role,
    Room,
    SecondFactor,
    SignIn,
    StudentLink,
    utc_now,
)
from operations.cli.main import attendance
from tests.attendance.database.full_database import fill
from tests.factories import is_signed_in, make_course, make_department, make_sign_in

Type = Callable[..., Result]
ENDED = (SignIn, PasswordLink, StudentLink, LtiRegistrationAddress)
KEPT = (Account, SecondFactor, Attendance)


@pytest.fixture
def type_(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Runs a command on the test's database."""
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)

    def run(*words: str, answers: str | None = None) -> Result:
        return CliRunner().invoke(attendance, words, input=answers)

    return run


def test_upgrade_then_nothing_to_do_then_down(type_: Type) -> None:
    assert "no tables" in type_("db", "current").stdout
    assert "before: no tables" in type_("db", "upgrade").stdout
    assert "up to date" in type_("db", "upgrade").stdout
    assert "Run" not in type_("db", "current").stdout
    assert "base (no tables)" in type_("db", "downgrade", "base", answers="y\n").stdout


def test_a_restored_backup_brings_no_sign_in_and_no_link_back(
    type_: Type, engine: sa.Engine, db: Session, tmp_path: Path
) -> None:
    fill(db)
    made = type_("db", "backup", str(tmp_path)).stdout.split(" (")[0]
    db.execute(sa.delete(SignIn))
    db.commit()
    db.close()
    engine.dispose()
    done = type_("db", "restore", made, "--replace")
    assert "Everybody signs in again." in done.stdout
    with engine.connect() as connection:
        left = {model: connection.scalar(sa.select(sa.func.count()).select_from(model)) for model in ENDED + KEPT}
    assert [left[model] for model in ENDED] == [0] * len(ENDED)
    assert all(left[model] for model in KEPT)


@pytest.mark.parametrize(
    "words",
    [
        ("camera", "list"),
        ("camera", "add", "c", "--room", "R"),
        ("lecturer", "list"),
        ("token", "list"),
    ],
)
def test_a_database_without_tables_is_one_sentence(type_: Type, words: tuple[str, ...]) -> None:
    done = type_(*words)
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: the database ")
    assert done.stderr.endswith(" has no tables yet: run `attendance db upgrade`\n")


def test_a_camera_gets_a_token_that_is_kept_as_a_hash(type_: Type, engine: sa.Engine, db: Session) -> None:
    done = type_(
        "camera", "add", "hall-a", "--room", "Hall A", "--create-room", "--upsample", "1", "--smallest-face", "20"
    )
    token = done.stdout.strip()
    camera = camera_of(db, token)
    assert camera is not None
    assert camera.room is not None
    assert (camera.name, camera.room.name, camera.upsample) == ("hall-a", "Hall A", 1)
    assert camera.smallest_face == 20
    assert token not in str(db.execute(sa.text("SELECT * FROM camera")).all())
    assert "hall-a" in type_("camera", "list").stdout


def test_rotating_and_revoking_end_the_old_token(type_: Type, engine: sa.Engine, db: Session) -> None:
    first = type_("camera", "add", "c", "--room", "R", "--create-room").stdout.strip()
    second = type_("camera", "rotate", "c").stdout.strip()
    assert camera_of(db, first) is None
    assert camera_of(db, second) is not None
    db.rollback()
    type_("camera", "revoke", "c")
    assert camera_of(db, second) is None
    assert "(revoked)" in type_("camera", "list").stdout


def test_a_camera_moves(type_: Type, engine: sa.Engine, db: Session) -> None:
    type_("camera", "add", "c", "--room", "R", "--create-room")
    type_("camera", "move", "c", "--room", "S", "--create-room")
    assert db.scalars(sa.select(Room.name).join(Camera, Camera.room_id == Room.id)).all() == ["S"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("camera", "add", "taken", "--room", "R"), "There is a camera 'taken' already"),
        (("token", "add", "taken", "--role", "enrolment"), "There is a token 'taken' already"),
        (("lecturer", "add", "--email", "taken@example.edu", "--name", "N", "--generate"), "There is a lecturer"),
        (("db", "downgrade", "nonsense", "--yes"), "Can't locate revision identified by 'nonsense'"),
    ],
)
def test_what_the_database_refuses_is_one_sentence(
    type_: Type, engine: sa.Engine, words: tuple[str, ...], says: str
) -> None:
    assert_one_sentence(type_, words, says)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("camera", "add", "new", "--room", "X"), "There is no room 'X' (known rooms: R)"),
        (("camera", "add", "new", "--room", " ", "--create-room"), "The room's name is empty"),
        (
            ("lecturer", "add", "--email", "a@example.edu", "--name", "N" * 121, "--generate"),
            "The name has 121 characters; at most 120 fit",
        ),
        (("camera", "add", " ", "--room", "R"), "The camera's name is empty"),
        (("camera", "move", "nobody", "--room", "R"), "There is no camera 'nobody'"),
        (("camera", "rotate", "nobody"), "There is no camera 'nobody'"),
        (("camera", "revoke", "nobody"), "There is no camera 'nobody'"),
        (("token", "revoke", "nobody"), "There is no token 'nobody'"),
        (("lecturer", "reset-password", "nobody@example.edu", "--generate"), "There is no lecturer nobody@example.edu"),
        (("lecturer", "add", "--email", "no address", "--name", "N", "--generate"), "is no e-mail address"),
        (("lecturer", "add", "--email", "a@example.edu", "--name", " ", "--generate"), "The name is empty"),
    ],
)
def test_what_is_wrong_is_one_sentence(type_: Type, engine: sa.Engine, words: tuple[str, ...], says: str) -> None:
    assert_one_sentence(type_, words, says)


def assert_one_sentence(type_: Type, words: tuple[str, ...], says: str) -> None:
    """A command is refused beside a camera, a token and a lecturer that are there already."""
    type_("camera", "add", "taken", "--room", "R", "--create-room")
    type_("token", "add", "taken", "--role", "enrolment")
    type_("lecturer", "add", "--email", "taken@example.edu", "--name", "N", "--generate")
    done = type_(*words)
    assert done.exit_code == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_administrator_is_added_with_a_typed_password(type_: Type, engine: sa.Engine, db: Session) -> None:
    typed = "correct horse battery\n" * 2
    done = type_("lecturer", "add", "--admin", "--email", "Ada@Example.EDU", "--name", "Ada", answers=typed)
    assert done.exit_code == 0, done.stderr
    person = db.scalars(sa.select(Account)).one()
    assert (person.email, [role.role for role in person.roles]) == ("ada@example.edu", [Role.ADMIN])
    assert verify_password(person.password_hash, "correct horse battery")
    assert "correct horse" not in done.output


def test_a_head_of_a_department_is_added_and_roles_come_and_go(type_: Type, engine: sa.Engine, db: Session) -> None:
    make_department(db, "Mathematics")
    make_course(db, "MA1")
    db.commit()
    added = ("lecturer", "add", "--email", "ada@example.edu", "--name", "Ada", "--generate", "--head-of")
    assert "There is no department called Alchemy" in type_(*added, "Alchemy").stderr
    assert type_(*added, "Mathematics").exit_code == 0
    person = db.scalars(sa.select(Account)).one()

    def held() -> list[Role]:
        db.rollback()
        return sorted(db.scalars(sa.select(AccountRole.role).where(AccountRole.account_id == person.id)))

    assert held() == [Role.DEPARTMENT]
    role = ("lecturer", "role", "ada@example.edu")
    assert type_(*role, "--assists", "MA1").exit_code == 0
    assert held() == [Role.ASSISTANT, Role.DEPARTMENT]
    assert type_(*role, "--teaches", "MA1").exit_code == 0
    assert held() == [Role.DEPARTMENT, Role.LECTURER]
    assert "ada@example.edu" in type_("lecturer", "list").stdout
    assert "department, lecturer" in type_("lecturer", "list").stdout
    refused = type_(*role, "--remove", "--head-of", "Mathematics", "--assists", "MA1")
    assert "does not have all these roles" in refused.stderr
    assert held() == [Role.DEPARTMENT, Role.LECTURER], "nothing is changed"
    assert type_(*role, "--remove", "--head-of", "Mathematics", "--teaches", "MA1").exit_code == 0
    assert held() == []
    assert "There is no course with the code XX" in type_(*role, "--teaches", "XX").stderr
    assert type_(*role).exit_code == 2


def test_a_weak_password_is_refused(type_: Type, engine: sa.Engine, db: Session) -> None:
    done = type_("lecturer", "add", "--email", "a@example.edu", "--name", "Ada", answers="short\nshort\n")
    assert "at least 10 characters" in done.stderr
    assert db.scalars(sa.select(Account)).all() == []


def test_a_reset_ends_other_sign_ins(type_: Type, engine: sa.Engine, db: Session) -> None:
    type_("lecturer", "add", "--email", "a@example.edu", "--name", "Ada", "--generate")
    person = db.scalars(sa.select(Account)).one()
    before = make_sign_in(db, person)
    db.commit()
    password = type_("lecturer", "reset-password", "a@example.edu", "--generate").stdout.strip()
    assert not is_signed_in(db, before)
    assert verify_password(person.password_hash, password)


def test_a_second_factor_is_lifted_for_a_lost_phone(type_: Type, engine: sa.Engine, db: Session) -> None:
    type_("lecturer", "add", "--email", "a@example.edu", "--name", "Ada", "--generate")
    person = db.scalars(sa.select(Account)).one()
    db.add(SecondFactor(account_id=person.id, secret="A" * 32, confirmed_at=utc_now()))
    db.flush()
    before = make_sign_in(db, person)
    db.commit()
    assert is_signed_in(db, before)
    db.rollback()
    assert type_("lecturer", "lift-second-factor", "A@example.edu").exit_code == 0
    assert not is_signed_in(db, before)
    db.rollback()
    refused = type_("lecturer", "lift-second-factor", "a@example.edu")
    assert (refused.exit_code, "signs in without a second factor" in refused.stderr) == (1, True)
    assert "There is no lecturer b@example.edu" in type_("lecturer", "lift-second-factor", "b@example.edu").stderr


def test_a_program_gets_a_token_with_its_role(type_: Type, engine: sa.Engine, db: Session) -> None:
    token = type_("token", "add", "registry", "--role", "enrolment").stdout.strip()
    found = api_token_of(db, token)
    assert isinstance(found, ApiToken)
    assert (found.name, found.role) == ("registry", "enrolment")
    assert "registry" in type_("token", "list").stdout
    db.rollback()
    type_("token", "revoke", "registry")
    assert api_token_of(db, token) is None


def test_passwords_are_judged_by_length_and_variety() -> None:
    assert password_problem("correct horse battery") is None
    assert password_problem("too short") is not None
    assert password_problem("aaaaaaaaaaaaaaa") is not None
    assert password_problem("x" * 201) is not None
    assert not verify_password("no hash at all", "anything")


@pytest.mark.parametrize(
    "words",
    [
        ("calibrate",),
        ("camera", "add", "c", "--room", "R"),
        ("camera", "list"),
        ("camera", "revoke", "c"),
        ("db", "backup"),
        ("db", "copy", "sqlite:///{data}/other.db"),
        ("db", "current"),
        ("db", "downgrade", "base", "--yes"),
        ("db", "restore", "{data}/none.db"),
        ("doctor",),
        ("gallery", "erase", "1001", "--yes"),
        ("gallery", "work", "--once"),
        ("lecturer", "list"),
        ("purge",),
        ("serve",),
        ("token", "list"),
        ("web",),
    ],
    ids=" ".join,
)
def test_looking_for_a_database_makes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    data = tmp_path / "data"
    for name, value in {"DATA_DIRECTORY": str(data), "ENGINE_CACHE": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(f"ATTENDANCE_{name}", value)
    done = CliRunner().invoke(attendance, [word.format(data=data) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    assert [path.name for path in tmp_path.rglob("*") if path.name.startswith(("attendance.db", "other.db"))] == []
