"""The areas of a camera's picture in which faces count, saved from a form of numbers."""

import re

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry, Camera
from attendance.zones import Zones, dump, parse
from tests.factories import make_camera, make_room
from tests.webapp.visiting import plain
from webapp.admin.writing import begin_change

SQUARE = "10 10\n50 10\n50 50\n10 50"


@pytest.fixture
def camera(site_db):
    camera = make_camera(site_db, name="hall-front", room=make_room(site_db, "Aula"))
    site_db.commit()
    return camera


def known(admin, camera):
    page = admin.get(f"/admin/cameras/{camera.id}/aim").text
    found = re.search(r'name="known"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


def save(admin, camera, *areas, **more):
    data = {"known": known(admin, camera)}
    for number, (kind, points) in enumerate(areas):
        data |= {f"kinds-{number}": kind, f"points-{number}": points}
    return admin.post(f"/admin/cameras/{camera.id}/aim/areas", data | more)


def zones_of(site_db, camera):
    site_db.rollback()
    return parse(site_db.scalar(sa.select(Camera.zones).where(Camera.id == camera.id)))


def test_saves_shows_and_removes_areas(admin, camera, site_db):
    half = "0 0\r\n100 0\r\n100 50,5\r\n0 50,5\r\n"
    answer = save(admin, camera, ("look", half), ("skip", "90, 0\n100; 0\n100 12.25"), ("", "  "))
    assert answer.status_code == 302
    look = (((0, 0), (1, 0), (1, 0.505), (0, 0.505)),)
    assert zones_of(site_db, camera) == Zones(look=look, skip=(((0.9, 0), (1, 0), (1, 0.1225)),))
    page = admin.get(f"/admin/cameras/{camera.id}/aim").text
    assert 'class="area-look" points="0.0,0.0 1600.0,0.0 1600.0,454.5 0.0,454.5 "' in page
    assert 'class="area-skip"' in page
    assert "100 50.5" in page
    entry = site_db.scalars(sa.select(AuditEntry).where(AuditEntry.action == "camera.changed")).one()
    assert (entry.subject, entry.details) == ("hall-front", {"fields": "zones"})
    assert save(admin, camera, ("look", ""), ("skip", "")).status_code == 302
    assert zones_of(site_db, camera) == Zones()


@pytest.mark.parametrize(
    ("areas", "message"),
    [
        ([("look", SQUARE), ("skip", "1 1\n2")], "“2” is not two numbers with a space between"),
        ([("look", "10,20\n3 4\n5 6")], "“10,20” is not two numbers with a space between"),
        ([("look", "1 1\n2 2")], "Zone 1: it has 2 points, and must have from 3 to 20."),
        (
            [("look", SQUARE), ("look", "0 0\n101 0\n0 50")],
            "“101 0” lies outside of the picture: both numbers are from 0 to 100.",
        ),
        ([("skip", "0 0\n50 50\n50 0\n0 50")], "Mask 1: its edges cross or touch."),
        ([("skip", "0 0\n100 0\n100 100\n0 100")], "leave nothing of the picture"),
        ([("", SQUARE)], "Choose what this area is for, or empty its points."),
        ([("mask", SQUARE)], "Choose what this area is for, or empty its points."),
        ([("skip", "1e3 0\n<b> 1\n0 0")], "“1e3 0” is not two numbers"),
    ],
)
def test_says_what_is_wrong_and_keeps_what_was_typed(admin, camera, site_db, areas, message):
    camera.zones = before = dump(Zones(skip=(((0, 0), (0.5, 0), (0, 0.5)),)))
    site_db.commit()
    answer = save(admin, camera, *areas)
    assert answer.status_code == 422
    assert message in plain(answer.text).replace("&#39;", "'")
    assert "<b>" not in answer.text
    assert areas[-1][1].splitlines()[0] in answer.text
    assert zones_of(site_db, camera) == parse(before)


def test_what_is_wrong_stands_at_the_area_that_is_wrong(admin, camera):
    text = plain(save(admin, camera, ("look", "1 1\n2 2"), ("look", SQUARE), ("look", "0 0\n1 1")).text)
    assert text.count("Zone 1: it has 2 points") == 2, "above the form, and at the field"
    assert text.count("it has 2 points") == 4


def test_what_somebody_else_saved_meanwhile_is_not_overwritten_unseen(admin, camera, site_db):
    seen = known(admin, camera)
    save(admin, camera, ("skip", SQUARE))
    answer = save(admin, camera, ("look", SQUARE), known=seen)
    assert (answer.status_code, "Somebody else changed the areas meanwhile" in answer.text) == (422, True)
    assert zones_of(site_db, camera).skip
    assert save(admin, camera, ("look", SQUARE)).status_code == 302
    assert zones_of(site_db, camera).look


def test_a_camera_that_is_deleted_meanwhile_is_not_found(admin, camera, site, monkeypatch):
    def begin_late():
        with site.sessions.begin() as db:
            db.execute(sa.delete(Camera))
        return begin_change()

    monkeypatch.setattr("webapp.admin.aiming.view.begin_change", begin_late)
    assert save(admin, camera, ("skip", SQUARE)).status_code == 404
