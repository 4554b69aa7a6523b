"""Room and camera of a recording come from the first that says them: the list, the name, the command."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from attendance.database.models import Camera
from operations.cli.main import attendance
from tests.factories import make_camera
from tests.operations.recordings.lectures import NINE, Scene, Term, write_clip

RED = [Scene(2, "red")]
LISTED = "file,room,start\nhall.mp4,Hall,2025-03-03T10:00\n"


def dry(place: Path, *words: str) -> Result:
    return CliRunner().invoke(attendance, ["recordings", "run", str(place), "--dry-run", *words])


@pytest.fixture
def two_cameras(lectures: Term, command: list[str]) -> Term:
    """A hall with two cameras, an attic with one, and a recording of each."""
    for room in ("Hall", "Attic"):
        lectures.session(room, NINE)
        write_clip(lectures.folder / f"{room.lower()}.mp4", RED)
    with lectures.sessions.begin() as db:
        hall = db.get_one(Camera, lectures.camera("Hall")).room
        make_camera(db, name="second", room=hall)
    return lectures


def listed(lectures: Term, text: str) -> Path:
    table = lectures.folder / "list.csv"
    table.write_text(text)
    return table


def test_the_command_names_the_camera_where_a_list_names_the_room(two_cameras: Term) -> None:
    table = listed(two_cameras, LISTED)
    done = dry(table)
    assert done.exit_code == 1
    assert "the room 'Hall' has several cameras (camera of Hall, second)" in done.output
    done = dry(table, "--camera", "second")
    assert done.exit_code == 0, done.output
    assert "hall.mp4: Hall, camera second, from 2025-03-03 10:00:00" in done.output


def test_the_name_names_the_camera_where_a_list_names_the_room(two_cameras: Term) -> None:
    (two_cameras.folder / "hall.mp4").rename(two_cameras.folder / "second-of-march.mp4")
    table = listed(two_cameras, LISTED.replace("hall.mp4", "second-of-march.mp4"))
    done = dry(table, "--name", "{camera}-of-*.mp4", "--camera", "camera of Hall")
    assert done.exit_code == 0, done.output
    assert "second-of-march.mp4: Hall, camera second, from" in done.output


def test_a_camera_of_the_list_goes_before_the_command_s_and_says_its_room(two_cameras: Term) -> None:
    text = "file,camera,start\nhall.mp4,second,2025-03-03T10:00\nattic.mp4,,2025-03-03T10:00\n"
    done = dry(listed(two_cameras, text), "--room", "Attic")
    assert done.exit_code == 0, done.output
    assert "hall.mp4: Hall, camera second," in done.output
    assert "attic.mp4: Attic, camera camera of Attic," in done.output


@pytest.mark.parametrize(
    ("text", "words", "by"),
    [
        ("file,room,camera,start\nhall.mp4,Attic,second,2025-03-03T10:00\n", [], "the list"),
        ("file,room,start\nhall.mp4,Attic,2025-03-03T10:00\n", ["--camera", "second"], "the command"),
    ],
)
def test_a_camera_of_another_room_is_named_with_both(two_cameras: Term, text: str, words: list[str], by: str) -> None:
    done = dry(listed(two_cameras, text), *words)
    assert done.exit_code == 1
    assert f"there is no camera 'second' ({by} says it) in the room 'Attic' (the list says it)" in done.output
    assert "it stands in the room 'Hall'" in done.output


def test_a_camera_that_is_none_is_named(two_cameras: Term) -> None:
    done = dry(listed(two_cameras, LISTED), "--camera", "third")
    assert done.exit_code == 1
    assert "no room has a camera 'third'" in done.output
