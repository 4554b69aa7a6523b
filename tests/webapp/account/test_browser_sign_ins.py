"""Signing in with a second step, and out from another browser, against two dashboards of two processes each."""

import http.client
import time
from urllib.parse import urlsplit

import pyotp
import pytest
from playwright.sync_api import expect

from attendance.database.models import Role
from tests.factories import PASSWORD, make_lecturer
from tests.webapp.lessons import make_lesson
from tests.webapp.running import environ_for, running_dashboard

WITHIN_S = 2.0
SLOW_MACHINE_S = 1.0


@pytest.fixture(scope="module")
def replica(dashboard, tmp_path_factory):
    """A second dashboard on the database of the first."""
    log = tmp_path_factory.mktemp("replica") / "log"
    with running_dashboard(environ_for(dashboard.settings, ATTENDANCE_WEB_WORKERS="2"), log) as address:
        yield address


def open_stream(address, path, cookies):
    """A register's stream as a script that kept the cookie opens it: the connection, and the answer that goes on."""
    host = urlsplit(address)
    connection = http.client.HTTPConnection(host.hostname, host.port, timeout=10)
    cookie = "; ".join(f"{one['name']}={one['value']}" for one in cookies)
    connection.request("GET", path, headers={"Cookie": cookie, "Accept": "text/event-stream"})
    return connection, connection.getresponse()


@pytest.mark.long("two dashboards, two browsers and streams that end")
def test_a_second_step_and_signing_out_everywhere(open_page, dashboard, replica, assert_accessible):
    with dashboard.sessions() as db:
        lesson = make_lesson(db, "Ada Byron", "Kurt Gödel")
        lecturer, _admin = lesson.lecturer, make_lecturer(db, role=Role.ADMIN)
        db.commit()
        session_id = lesson.session.id
    page = open_page(lecturer, "/profile")
    assert_accessible(page)
    page.get_by_role("link", name="Set up…").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("img", name="QR code with the key below")).to_be_visible()
    assert_accessible(page)
    secret = page.locator("code.key").inner_text().replace(" ", "")
    page.get_by_role("textbox", name="Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Use this app").click()
    expect(page.get_by_text("The second step is on.")).to_be_visible()
    assert_accessible(page)
    recovery = page.locator(".recovery-codes code").all_inner_texts()

    phone = open_page(None, "/signin", size={"width": 390, "height": 844})
    phone.get_by_label("E-mail address").fill(lecturer.email)
    phone.get_by_label("Password").fill(PASSWORD)
    phone.keyboard.press("Enter")
    expect(phone.get_by_label("Code")).to_be_focused()
    assert_accessible(phone)
    phone.keyboard.type(recovery[0])
    phone.keyboard.press("Enter")
    expect(phone.get_by_text("You have 9 recovery codes left.")).to_be_visible()

    cookies = phone.context.cookies()
    both = (dashboard.address, replica)
    streams = [open_stream(address, f"/sessions/{session_id}/live", cookies) for address in both]
    assert [answer.status for _, answer in streams] == [200, 200]
    page.goto("/profile")
    expect(page.get_by_text("This browser")).to_have_count(1)
    phones = page.get_by_role("listitem").filter(has_text="Signed in").filter(has_not_text="This browser")
    phones.get_by_role("button", name="Sign out").click()
    began = time.monotonic()
    for connection, answer in streams:
        answer.read()  # to its end
        connection.close()
    assert time.monotonic() - began < WITHIN_S + SLOW_MACHINE_S
    for address in both:
        connection, answer = open_stream(address, f"/sessions/{session_id}/live", cookies)
        assert answer.status == 401
        connection.close()
    expect(page.get_by_text("You are signed out there.")).to_be_visible()
    page.get_by_role("button", name="Sign out everywhere").click()
    expect(page.get_by_text("You are signed out everywhere.")).to_be_visible()
