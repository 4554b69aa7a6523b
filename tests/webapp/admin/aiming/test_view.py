"""The aiming view: who sees what, for how long, what it says in words, and what of it is in the audit log."""

import io
from datetime import timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from attendance.aiming import AimingProblem
from attendance.database.access import aiming_tickets
from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.models import Account, AuditEntry, Camera, Role, SignIn
from attendance.zones import Zones, dump
from tests.factories import make_camera, make_lecturer, make_room
from tests.webapp.admin.aiming.serving import FilmedRoom, served
from tests.webapp.visiting import plain

pytestmark = pytest.mark.real

LARGE, FAIR, SMALL = (80, 60, 160, 150), (300, 100, 340, 145), (500, 80, 518, 100)


@pytest.fixture
def camera(site_db):
    camera = make_camera(site_db, name="hall-front", room=make_room(site_db, "Aula"))
    site_db.commit()
    return camera


@pytest.fixture
def room(site, site_db, camera):
    """The camera's service, as the camera's row names it."""
    with served(FilmedRoom(), site.sessions) as room:
        camera.aiming_address = room.address
        site_db.commit()
        yield room


def page_of(camera):
    return f"/admin/cameras/{camera.id}/aim"


def log_of(site_db):
    site_db.rollback()
    query = sa.select(AuditEntry).where(AuditEntry.action.startswith("camera.")).order_by(AuditEntry.id)
    return [(entry.action, entry.subject, entry.details) for entry in site_db.scalars(query)]


def test_shows_the_picture_and_says_the_sizes(admin, camera, room):
    room.boxes, room.session = [LARGE, FAIR, SMALL], True
    page = admin.get(page_of(camera))
    text = plain(page.text)
    assert "A session counts in the room Faces pixelated 640 by 360 pixels" in text
    assert "3 faces" in text
    for line in (
        "80 by 90 pixels, large enough",
        "40 by 45 pixels, can be named, takes more frames",
        "18 by 20 pixels, too small to name",
    ):
        assert line in text
    assert "zoom in 1.4 times: 1 face is too small to name. The smallest has 18 pixels and needs 24." in text
    picture = admin.get(f"{page_of(camera)}/1.jpg")
    assert (picture.mimetype, picture.headers["Cache-Control"]) == ("image/jpeg", "no-store")
    assert Image.open(io.BytesIO(picture.data)).size == (640, 360)
    assert room.asked == [(None, 3)]  # a page does not wait long


def test_the_part_follows_the_picture_that_the_page_has(admin, camera, room):
    admin.get(page_of(camera))
    part = admin.get(f"{page_of(camera)}/shot?after=1").text
    assert f'data-picture="{page_of(camera)}/2.jpg"' in part
    assert room.asked[-1] == (1, 10)
    assert admin.get(f"{page_of(camera)}/shot?after=x").status_code == 200


def test_faces_are_shown_on_demand_where_no_session_counts_and_all_of_it_is_noted(admin, camera, room, site_db):
    room.boxes = [LARGE]
    admin.get(page_of(camera))
    admin.get(page_of(camera))  # by the link: the same view
    admin.get(f"{page_of(camera)}/shot")
    assert log_of(site_db) == [("camera.viewed", "hall-front", {"room": "Aula"})]
    assert admin.post(f"{page_of(camera)}/faces", {"faces": "clear"}).status_code == 302
    assert "Faces as they are" in admin.text(page_of(camera))
    room.session = True
    text = admin.text(page_of(camera))
    assert "Faces pixelated" in text
    assert "Faces are shown where no session counts. One does, so they are pixelated." in text
    admin.post(f"{page_of(camera)}/faces", {"faces": "pixelated"})
    room.session = False
    assert "Faces pixelated" in admin.text(page_of(camera))
    viewed = ("camera.viewed", "hall-front", {"room": "Aula"})
    assert log_of(site_db) == [viewed, ("camera.viewed_clear", "hall-front", {"room": "Aula"}), viewed]


def test_nothing_is_shown_before_the_page_was_opened(admin, camera, room, site_db):
    part = admin.get(f"{page_of(camera)}/shot").text
    assert "This view has ended" in part
    assert "data-over" in part
    assert admin.get(f"{page_of(camera)}/1.jpg").status_code == 410
    assert (room.asked, log_of(site_db)) == ([], [])


def ticket_of(admin, camera):
    cookie = admin.client.get_cookie("attendance_aiming", path=page_of(camera))
    return None if cookie is None else cookie.value


def hold(admin, camera, ticket):
    admin.client.set_cookie("attendance_aiming", ticket, path=page_of(camera))


def test_the_cookie_goes_to_this_view_alone(admin, camera, room):
    answer = admin.get(page_of(camera))
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("attendance_aiming=")]
    for part in ("HttpOnly", "SameSite=Strict", "Max-Age=120", f"Path={page_of(camera)}"):
        assert part in cookie
    ticket = ticket_of(admin, camera)
    assert ticket
    assert ticket not in answer.text


def test_forged_expired_and_other_tickets_open_nothing(admin, camera, room, site, site_db):
    other = make_camera(site_db, name="door", room=make_room(site_db), token=None)
    other.aiming_address = room.address
    site_db.commit()
    admin.get(page_of(camera))
    right = ticket_of(admin, camera)
    before = len(room.asked)
    for ticket, told in (
        (right[:-2] + ("AA" if right[-2:] != "AA" else "BB"), "This view cannot be opened so"),
        ("nonsense", "This view cannot be opened so"),
    ):
        hold(admin, camera, ticket)
        assert told in admin.text(f"{page_of(camera)}/shot")
        assert admin.get(f"{page_of(camera)}/1.jpg").status_code == 410
    hold(admin, other, right)
    assert "This view is of another camera" in admin.text(f"{page_of(other)}/shot")
    with site.sessions() as db:
        sign_in = db.scalars(sa.select(SignIn)).first()
        old = aiming_tickets.sign_ticket(sign_in, camera.id, clear=False, now=sign_in.made_at - timedelta(minutes=3))
    hold(admin, camera, old)
    assert "This view has ended" in admin.text(f"{page_of(camera)}/shot")
    assert len(room.asked) == before


def test_somebody_elses_ticket_is_none(admin, camera, room, site, site_db):
    admin.get(page_of(camera))
    ticket = ticket_of(admin, camera)
    kurt = site.visitor(make_lecturer(site_db, role=Role.ADMIN))
    hold(kurt, camera, ticket)
    assert "You are signed out" in kurt.text(f"{page_of(camera)}/shot")


@pytest.mark.parametrize("ending", ["signs out", "is removed", "is no administrator"])
def test_it_ends_with_the_sign_in(admin, camera, room, site, ending):
    admin.get(page_of(camera))
    with site.sessions.begin() as db:
        if ending == "signs out":
            end_sign_ins(db)
        elif ending == "is removed":
            db.execute(sa.delete(Account))
        else:
            db.execute(sa.text("DELETE FROM account_role"))
    before = len(room.asked)
    for path in (f"{page_of(camera)}/shot", f"{page_of(camera)}/1.jpg"):
        answer = admin.get(path, headers={"X-Requested-With": "fetch"})
        assert answer.status_code == 401
    assert len(room.asked) == before


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        (AimingProblem.NOT_CONNECTED, "The camera is not connected"),
        (AimingProblem.NO_FRAME, "The camera sends nothing just now"),
        (AimingProblem.UNREADABLE, "The camera's pictures cannot be read"),
        (AimingProblem.BUSY, "The service has no time just now"),
    ],
)
def test_says_why_there_is_no_picture(admin, camera, room, problem, told):
    room.problem = problem
    assert told in admin.text(page_of(camera))
    assert told in admin.text(f"{page_of(camera)}/shot")
    room.problem = None
    assert told not in admin.text(f"{page_of(camera)}/shot")


def test_a_camera_that_no_service_holds(admin, camera, room, site_db):
    assert admin.get(f"{page_of(camera)}/99.jpg").status_code == 410  # no view yet
    admin.get(page_of(camera))
    gone = admin.get(f"{page_of(camera)}/99.jpg")
    assert (gone.status_code, "Pictures are kept for seconds" in gone.text) == (404, True)
    for address in (None, "127.0.0.1:9", "no such machine.invalid:1"):
        camera.aiming_address = address
        site_db.commit()
        assert "The camera is not connected" in admin.text(page_of(camera))
    assert admin.get("/admin/cameras/999/aim").status_code == 404
    for path in ("shot", "1.jpg"):
        assert admin.get(f"/admin/cameras/999/aim/{path}").status_code == 404


def test_says_what_to_change(admin, camera, room, site_db):
    room.boxes = [LARGE]
    assert "What to change Nothing: every face is large and sharp enough." in admin.text(page_of(camera))
    room.sharpness = 3.0
    assert "Sharper: 1 face is blurred." in admin.text(page_of(camera))
    assert "large enough, not sharp" in admin.text(page_of(camera))
    room.picture = room.picture // 6
    assert "Brighter: the picture is dark." in admin.text(page_of(camera))
    room.picture = 255 - room.picture // 4
    assert "Darker: the picture is too bright." in admin.text(page_of(camera))
    room.clock_off = timedelta(hours=-2)
    assert "clock: it is 7,200 seconds behind." in admin.text(page_of(camera))
    room.clock_off = timedelta(minutes=1)
    assert "seconds ahead." in admin.text(page_of(camera))
    room.boxes = []
    assert "No face is seen where faces count." in admin.text(page_of(camera))
    room.boxes = [SMALL]
    camera.zones = dump(Zones(skip=(((0.7, 0), (1, 0), (1, 1), (0.7, 1)),)))
    site_db.commit()
    text = admin.text(page_of(camera))
    assert "18 by 20 pixels, outside of the areas that count" in text
    assert "zoom" not in text  # who is skipped need not be named


def test_is_found_from_the_cameras_page(admin, camera):
    assert page_of(camera) in admin.get(f"/admin/cameras/{camera.id}").text


def test_few_threads_wait_for_cameras(admin, camera, room, site):
    admin.get(page_of(camera))
    places = site.app.extensions["attendance_aiming"]
    while places.acquire(blocking=False):
        pass
    assert "The service has no time just now" in admin.text(f"{page_of(camera)}/shot")


def test_french_says_it_too(admin, camera, room):
    room.boxes = [SMALL]
    admin.post("/language", {"language": "fr"})
    assert "pixels" in admin.text(page_of(camera))
    assert "too small" not in admin.text(page_of(camera))


def test_reads_a_cameras_row_of_the_version_before(admin, site_db, camera):
    site_db.execute(sa.update(Camera).values(aiming_address=None, zones="no JSON"))
    site_db.commit()
    assert "The camera is not connected" in admin.text(page_of(camera))
