"""The pages of mail in a real browser: for everybody, on any screen, and the frame that shows a letter."""

from datetime import timedelta

import pytest

from attendance.database.models import QueuedMail, QueueState, Role, utc_now
from tests.factories import make_lecturer
from tests.webapp.conftest import Dashboard
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.screens import NARROW, WIDE
from tests.webapp.visiting import WITH_MAIL, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory, migrated_file):
    """A running dashboard whose mail is on."""
    folder = tmp_path_factory.mktemp("dashboard") / "data"
    settings = make_settings(folder, migrated_file, **WITH_MAIL)
    sections = {"MAIL": settings.mail, "WEB": settings.web}
    names = {"MAIL": ("host", "sender"), "WEB": ("address",)}
    given = {
        f"ATTENDANCE_{section}_{name.upper()}": str(getattr(sections[section], name))
        for section, of_section in names.items()
        for name in of_section
    }
    with running_dashboard(environ_for(settings, **given), folder.parent / "log") as address:
        sessions = sessions_of(create_app(settings))
        yield Dashboard(address, settings, sessions)
        sessions.kw["bind"].dispose()


@pytest.fixture(scope="module")
def admin(dashboard):
    now = utc_now()
    with dashboard.sessions() as db:
        account = make_lecturer(db, role=Role.ADMIN)
        given = {"kind": "weekly_summary", "data": {}, "attempts": 2}
        long = "somebody.with.a.very.long.name@institute-of-long-names.example.edu"
        db.add(
            QueuedMail(**given, recipient=long, last_error="550 " + "no such mailbox " * 12, state=QueueState.FAILED)
        )
        db.add(QueuedMail(**given, recipient=long, not_before=now + timedelta(hours=1)))
        db.add(QueuedMail(**given, recipient="a@b.org", state=QueueState.SENT, ended_at=now))
        db.commit()
        db.refresh(account)
        return account


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (NARROW, "light"), (WIDE, "dark")], ids=["wide", "narrow", "dark"]
)
def test_every_page(open_page, admin, assert_accessible, size, scheme):
    page = open_page(admin, "/admin/mail", size=size, color_scheme=scheme)
    assert_accessible(page)
    page.get_by_role("link", name="Invitation").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("link", name="Set a password").wait_for()
    assert_accessible(page)
    # Its styles stand at its elements, and nothing of them is blocked.
    assert frame.locator("h1").evaluate("element => getComputedStyle(element).fontSize") == "20px"
    page = open_page(None, "/signin", size=size, color_scheme=scheme)
    page.get_by_role("link", name="Forgot your password?").click()
    assert_accessible(page)
    page.keyboard.type("ada")
    page.keyboard.press("Enter")
    page.get_by_text("is no e-mail address").first.wait_for()
    assert_accessible(page)
    page.get_by_label("E-mail address").fill(admin.email)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Look into your mail").wait_for()
    assert_accessible(page)
