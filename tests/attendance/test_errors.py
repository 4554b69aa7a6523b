"""One root for the product's errors, its tree, and the one way in which commands tell them."""

import os
import pwd
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from attendance import errors
from attendance.database.engine import DatabaseError
from attendance.database.opening import open_engine
from attendance.errors import AttendanceError, told_in_a_sentence
from attendance.settings import SettingsError
from operations.cli.main import attendance
from tests.house.product import classes

OUTSIDE = {"deploy.installer.places.InstallError": "the installer runs before any package of the product is there"}
WHO = f" (this runs as {pwd.getpwuid(os.geteuid()).pw_name})\n"
_LINE = re.compile(r"^(?P<indent> *)(?P<name>\w+) {2,}(?P<meaning>\S.*)$")


def drawn() -> dict[str, tuple[str, str]]:
    """The drawing in the module's docstring: each class's parent and meaning."""
    picture = (errors.__doc__ or "").split("::\n", 1)[1]
    found: dict[str, tuple[str, str]] = {}
    above: list[str] = []
    for line in filter(str.strip, picture.splitlines()):
        match = _LINE.match(line)
        assert match, f"not understood: {line!r}"
        above = [*above[: len(match["indent"]) // 2 - 2], match["name"]]
        assert match["name"] not in found, f"drawn twice: {match['name']}"
        found[match["name"]] = (above[-2] if len(above) > 1 else "", match["meaning"])
    return found


def raised() -> list[type[Exception]]:
    """The public exception classes of the product."""
    return [one for one in classes() if issubclass(one, Exception) and not one.__name__.startswith("_")]


def test_every_error_of_ours_has_the_root() -> None:
    outside = {f"{one.__module__}.{one.__qualname__}" for one in raised() if not issubclass(one, AttendanceError)}
    assert outside == set(OUTSIDE)


def test_the_drawing_is_the_tree() -> None:
    tree = {
        one.__name__: next((base.__name__ for base in one.__bases__ if issubclass(base, AttendanceError)), "")
        for one in raised()
        if issubclass(one, AttendanceError)
    }
    assert {name: parent for name, (parent, _) in drawn().items()} == tree


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (DatabaseError("there is no database yet"), 1, "Error: there is no database yet\n"),
        (SettingsError("ATTENDANCE_X: unknown"), 2, "Error: wrong settings\nATTENDANCE_X: unknown\n"),
        (PermissionError(13, "Permission denied", "/x"), 1, "Error: cannot read or write /x: Permission denied" + WHO),
        (FileNotFoundError(2, "Missing", "x"), 1, f"Error: cannot read or write {Path('x').absolute()}: Missing\n"),
        (OSError(28, "No space left"), 1, "Error: what this command writes finds no room: No space left\n"),
        (OSError(27, "File too large"), 1, "Error: what this command writes finds no room: File too large\n"),
    ],
)
def test_a_command_ends_with_a_sentence(
    error: Exception, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, told_in_a_sentence():
        raise error
    assert ended.value.code == status
    assert capsys.readouterr().err == says


@pytest.mark.parametrize("error", [ZeroDivisionError("a fault"), OSError(5, "Input/output error")])
def test_a_fault_of_ours_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), told_in_a_sentence():
        raise error


def test_what_the_database_refuses_is_said_without_statement_and_values(database_url: str) -> None:
    query = sa.text("SELECT secret FROM nowhere WHERE x = :value")
    with (
        pytest.raises(DatabaseError, match="the database refused: ") as refused,
        open_engine(database_url) as engine,
        engine.connect() as connection,
    ):
        connection.execute(query, {"value": "hunter2"})
    assert "hunter2" not in str(refused.value)
    assert "SELECT" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["index", "info"], "index"),
        (["index", "export-pickle", "x.pickle"], "there is no store"),
        (["calibrate"], "there is no store"),
        (["enrol", "photos", "--consent", "form"], "there is no database yet"),
        (["evaluate", "photos"], "detector is 'hog'"),
        (["engine", "info"], "detector is 'hog'"),
        (["purge"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["db", "upgrade"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["token", "list"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["web"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["serve"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["gallery", "work", "--once"], "ATTENDANCE_DATABASE_URL begins with oracle://"),
        (["camera", "run", "--source", "nowhere.mp4"], "nowhere.mp4"),
    ],
)
def test_commands_of_every_program_end_so(
    words: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos" / "1001").mkdir(parents=True)
    (tmp_path / "photos" / "1001" / "1.jpg").write_bytes(b"no picture")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ATTENDANCE_DATA_DIRECTORY", str(tmp_path / "data"))
    monkeypatch.setenv("ATTENDANCE_ENGINE_DETECTOR", "hog")
    if "oracle" in says:
        monkeypatch.setenv("ATTENDANCE_DATABASE_URL", "oracle://nobody:hunter2@nowhere/none")
    done = CliRunner().invoke(attendance, words)
    assert done.exit_code == 1, done.output
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert line.startswith("Error: ")
    assert says in line
    assert "hunter2" not in done.output
