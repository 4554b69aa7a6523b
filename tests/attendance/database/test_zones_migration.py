"""Cameras keep all but their zones on the way back; on SQLite and on MariaDB."""

import pytest
import sqlalchemy as sa

from attendance.database.engine import LossyDowngradeError, downgrade, losses_of_downgrade, upgrade
from attendance.database.models import Camera
from attendance.zones import Zones, dump, parse
from tests.factories import make_room

TRIANGLE = Zones(skip=(((0, 0), (1, 0), (0.5, 1)),))


def test_up_and_down_with_cameras(db, engine):
    room = make_room(db, "Aula ł")
    db.add_all([Camera(name="hall", room_id=room.id, zones=dump(TRIANGLE)), Camera(name="door")])
    db.commit()
    assert parse(db.scalar(sa.select(Camera.zones).where(Camera.name == "hall"))) == TRIANGLE
    db.close()
    assert "the zones and masks of 1 cameras" in losses_of_downgrade(engine, "0018")
    with pytest.raises(LossyDowngradeError, match="zones and masks"):
        downgrade(engine, "0018")
    downgrade(engine, "0018", lossy=True)
    upgrade(engine)
    assert db.execute(sa.select(Camera.name, Camera.room_id, Camera.zones).order_by(Camera.id)).all() == [
        ("hall", room.id, None),
        ("door", None, None),
    ]
