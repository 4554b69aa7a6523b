"""Cameras from the command line: extra ones, blind ones, and those that are gone."""

from datetime import datetime

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from attendance.database.models import Camera, Observation
from operations.cli.main import attendance
from tests.factories import NINE, make_camera, make_room


@pytest.fixture(autouse=True)
def _database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", database_url)


def camera(*words: str) -> Result:
    return CliRunner().invoke(attendance, ["camera", *words])


def extra(db: Session, name: str) -> bool:
    db.rollback()
    return db.scalars(sa.select(Camera.extra).where(Camera.name == name)).one()


def test_marks_cameras_as_extra(db: Session) -> None:
    assert camera("add", "front", "--room", "Hall", "--create-room").exit_code == 0
    assert camera("add", "side", "--room", "Hall", "--extra").exit_code == 0
    assert (extra(db, "front"), extra(db, "side")) == (False, True)
    assert "The camera side is needed now." in camera("mark", "side", "needed").output
    assert not extra(db, "side")
    assert "The camera front is extra now." in camera("mark", "front", "extra").output
    assert extra(db, "front")
    assert camera("mark", "front", "perhaps").exit_code == 2
    assert "There is no camera 'none'" in camera("mark", "none", "extra").output


def test_lists_what_is_to_be_known(db: Session) -> None:
    make_camera(db, name="plain", room=make_room(db), token="plain")
    odd = make_camera(db, name="odd", room=make_room(db))
    odd.extra, odd.blind_since = True, NINE
    db.commit()
    lines = camera("list").output.splitlines()
    assert any(line.startswith("plain") and line.endswith("last seen never") for line in lines)
    assert any(line.startswith("odd") and line.endswith(_said(NINE)) for line in lines)


def _said(blind_since: datetime) -> str:
    return f"last seen never  (extra, revoked, blind since {blind_since:%Y-%m-%d %H:%M:%S})"


def test_a_camera_that_is_removed_leaves_what_it_watched(db: Session) -> None:
    room = make_room(db)
    front = make_camera(db, name="front", room=room)
    db.add(Observation(camera_id=front.id, room_id=room.id, hour=NINE, watched=1, counts=bytes(600)))
    db.commit()
    assert "The camera front is removed." in camera("remove", "front").output
    db.rollback()
    assert db.scalar(sa.select(sa.func.count()).select_from(Camera)) == 0
    row = db.scalars(sa.select(Observation).execution_options(populate_existing=True)).one()
    assert (row.camera_id, row.watched) == (None, 1)
    assert camera("remove", "front").exit_code == 1
