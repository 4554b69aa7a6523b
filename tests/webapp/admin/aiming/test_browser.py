"""The aiming view in a browser: a real dashboard, and a real service with the tests' engine and a camera."""

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from attendance.database.models import AuditEntry, Camera, Role
from attendance.settings import Settings
from attendance.zones import parse
from tests.factories import make_lecturer
from tests.recognition_service.campus import CameraCall, Campus, calling, found_campus, running
from tests.recognition_service.engines import picture
from tests.webapp.conftest import Dashboard
from tests.webapp.running import environ_for, running_dashboard

PHONE = {"width": 390, "height": 800}
NOTHING_OVER_THE_FORM = """
    document.querySelector(".aiming-shown").getBoundingClientRect().bottom
    <= document.querySelector(".aiming-form").getBoundingClientRect().top
"""


@dataclass(frozen=True)
class Filmed:
    campus: Campus
    dashboard: Dashboard


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filmed]:
    """A camera in a room without sessions that sees a face, its service, and a dashboard beside it."""
    folder = tmp_path_factory.mktemp("aiming")
    service = {"listen": "127.0.0.1:0", "metrics_listen": "off", "max_delay_ms": 0, "timetable_refresh_s": 0.2}
    settings = Settings.model_validate({"data": {"directory": folder / "data"}, "service": service})
    campus = found_campus(settings)
    ready, over = threading.Event(), threading.Event()

    async def film() -> None:
        async with running(settings) as service, calling(service) as stub:
            stream = CameraCall(stub, campus.empty, "empty", datetime.now(UTC))
            await stream.opened()
            ready.set()
            while not over.is_set():
                await stream.ask(picture((200, 60, 60), size=(384, 512)), at=datetime.now(UTC))
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(film()))
    thread.start()
    try:
        assert ready.wait(60)
        with running_dashboard(environ_for(settings), folder / "log") as address:
            yield Filmed(campus, Dashboard(address, settings, campus.sessions))
    finally:
        over.set()
        thread.join(60)
        campus.engine.dispose()


@pytest.fixture(scope="module")
def dashboard(filmed: Filmed) -> Dashboard:
    """In the place of the one that other modules share."""
    return filmed.dashboard


def zones_of(filmed: Filmed) -> Any:
    with filmed.campus.sessions() as db:
        return parse(db.scalar(sa.select(Camera.zones).where(Camera.name == "empty")))


@pytest.mark.long("a service, a dashboard and a browser")
def test_a_camera_is_aimed_and_its_areas_are_drawn(
    filmed: Filmed, open_page: Callable[..., Page], assert_accessible: Callable[[Page], None]
) -> None:
    with filmed.campus.sessions.begin() as db:
        admin = make_lecturer(db, role=Role.ADMIN)
        camera_id = db.scalars(sa.select(Camera.id).where(Camera.name == "empty")).one()
    page = open_page(admin, f"/admin/cameras/{camera_id}")
    page.click("text=Aim it")
    shown = page.locator("#aiming-picture")
    expect(shown).to_be_visible()
    # Pictures come by themselves, and the words with them.
    first = shown.get_attribute("src")
    expect(page.locator("#aiming-picture")).not_to_have_attribute("src", str(first))
    assert page.evaluate("document.getElementById('aiming-picture').naturalWidth") == 512
    expect(page.locator(".aiming-faces li")).to_have_text("64 by 64 pixels, large enough")
    expect(page.locator(".aiming-state")).to_contain_text("No session counts in the room")
    expect(page.locator(".aiming-state")).to_contain_text("Faces pixelated")
    page.click("text=Show faces where no session counts")
    expect(page.locator(".aiming-state")).to_contain_text("Faces as they are")
    page.click("#aiming-pause")
    expect(page.locator("#aiming-pause")).to_have_attribute("aria-pressed", "true")
    draw_by_pointer(page)
    draw_by_keyboard(page)
    assert_accessible(page)
    page.locator("text=Save the areas").scroll_into_view_if_needed()
    assert page.evaluate(NOTHING_OVER_THE_FORM)
    page.click("text=Save the areas")
    expect(page.locator(".notice-success")).to_contain_text("are saved")
    zones = zones_of(filmed)
    assert [len(area) for area in (*zones.look, *zones.skip)] == [4, 3]
    assert all(abs(x - a) < 0.02 and abs(y - b) < 0.02 for (x, y), (a, b) in zip(zones.look[0], CORNERS, strict=True))
    assert zones.skip == (((0.5, 0.5), (0.55, 0.5), (0.55, 0.55)),)
    expect(page.locator("#aiming-areas polygon")).to_have_count(2)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert_accessible(page)
    with filmed.campus.sessions() as db:
        query = sa.select(AuditEntry.action).where(AuditEntry.action.startswith("camera.")).order_by(AuditEntry.id)
        actions = db.scalars(query).all()
    assert actions == ["camera.viewed", "camera.viewed_clear", "camera.changed"]


CORNERS = ((0.1, 0.1), (0.6, 0.1), (0.6, 0.8), (0.1, 0.8))


def draw_by_pointer(page: Page) -> None:
    page.locator("#kinds-0").select_option("look")
    page.locator("[data-draw]").first.click()
    for x, y in ((0.1, 0.1), (0.6, 0.1), (0.6, 0.8), (0.3, 0.5)):
        click_at(page, x, y)
    box = page.locator("#aiming-areas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.8 * box["height"], steps=3)
    page.mouse.up()
    expect(page.locator("#points-0")).to_have_value(re.compile(r"^[\d.]+ [\d.]+(\n[\d.]+ [\d.]+){3}$"))
    page.keyboard.press("Escape")


def click_at(page: Page, x: float, y: float) -> None:
    areas = page.locator("#aiming-areas")
    areas.scroll_into_view_if_needed()
    box = areas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def draw_by_keyboard(page: Page) -> None:
    page.locator("[data-draw]").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#aiming-areas")).to_be_focused()
    for key in ("Enter", "Shift+ArrowRight", "Enter", "Shift+ArrowDown", "Enter", "ArrowLeft", "Enter", "Backspace"):
        page.keyboard.press(key)
    expect(page.locator("#aiming-live")).to_have_text("The last point is taken away.")
    page.keyboard.press("Escape")
    expect(page.locator("#points-1")).to_have_value("50 50\n55 50\n55 55")
    expect(page.locator("#kinds-1")).to_have_value("skip")


@pytest.mark.long("the same service and dashboard, without scripts")
def test_works_without_javascript(filmed: Filmed, open_page: Callable[..., Page]) -> None:
    with filmed.campus.sessions.begin() as db:
        admin = make_lecturer(db, role=Role.ADMIN)
        camera_id = db.scalars(sa.select(Camera.id).where(Camera.name == "empty")).one()
    page = open_page(admin, f"/admin/cameras/{camera_id}/aim", java_script_enabled=False)
    first = page.locator("#aiming-picture").get_attribute("src")
    expect(page.locator(".aiming-faces li")).to_contain_text("64 by 64 pixels")
    page.wait_for_timeout(2_200)  # for two seconds a picture is new enough for whoever looks
    page.click("text=Look again")
    assert page.locator("#aiming-picture").get_attribute("src") != first
    expect(page.locator("#aiming-pause")).to_be_hidden()
