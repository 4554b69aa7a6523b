"""A real provider, npm's `oidc-provider`, in a real browser, wide and narrow."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect
from sqlalchemy.orm import Session

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import ProviderIdentity, Role
from tests.factories import enrol, make_course, make_lecturer, make_student
from tests.node import require_node_packages
from tests.webapp.conftest import Dashboard
from tests.webapp.running import environ_for, free_port, running_dashboard
from tests.webapp.screens import NARROW, WIDE
from tests.webapp.visiting import make_settings

NPM = Path(__file__).parent / "npm"
CLIENT, SECRET = "attendance", "a-secret: with % and + and /"
PEOPLE = {
    "ada": {"email": "ada@example.edu", "email_verified": True, "name": "Ada Lovelace", "groups": ["/courses/MA1/l"]},
    "grace": {"email": "grace@example.edu", "email_verified": True, "name": "Grace Hopper", "groups": ["staff"]},
    "alan": {"email": "alan@example.edu", "email_verified": True, "name": "Alan Turing"},
    "mallory": {"email": "mallory@evil.example", "name": "Mallory"},
}


@pytest.fixture(scope="module")
def issuer(dashboard_address: str) -> Iterator[str]:
    """The address of the provider, which knows the dashboard."""
    node = require_node_packages(NPM)
    given = {"client_id": CLIENT, "client_secret": SECRET, "dashboard": dashboard_address, "people": PEOPLE}
    process = subprocess.Popen(
        [*node, "provider.mjs", json.dumps(given)],
        cwd=NPM,
        env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def dashboard_address() -> str:
    """Where the dashboard will be, which the provider must know before."""
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def dashboard(
    tmp_path_factory: pytest.TempPathFactory, migrated_file: Path, dashboard_address: str, issuer: str
) -> Iterator[Dashboard]:
    """A running dashboard that knows the provider."""
    folder = tmp_path_factory.mktemp("dashboard") / "data"
    settings = make_settings(folder, migrated_file)
    engine = create_database_engine(settings.database_url)
    sessions = session_factory(engine, settings.attendance)
    with sessions.begin() as db:
        course = make_course(db, "MA1")
        make_lecturer(db, email="ada@example.edu", name="Ada Lovelace")
        make_lecturer(db, email="root@example.edu", role=Role.ADMIN)
        alan = make_student(db, "s123456", name="Alan Turing")
        alan.email = "alan@example.edu"
        enrol(db, course, alan)
    environ = environ_for(
        settings,
        ATTENDANCE_WEB_LISTEN=dashboard_address.removeprefix("http://"),
        ATTENDANCE_WEB_ADDRESS=dashboard_address,
        ATTENDANCE_WEB_PRIVATE_ADDRESSES="127.0.0.0/8",
        ATTENDANCE_OIDC_ISSUER=issuer,
        ATTENDANCE_OIDC_CLIENT_ID=CLIENT,
        ATTENDANCE_OIDC_CLIENT_SECRET=SECRET,
        ATTENDANCE_OIDC_NAME="Example University",
        ATTENDANCE_OIDC_CREATE_ACCOUNTS="groups = staff",
        ATTENDANCE_OIDC_ROLES="groups = /courses/*/l -> lecturer *",
    )
    with running_dashboard(environ, folder.parent / "log") as address:
        yield Dashboard(address, settings, sessions)
    engine.dispose()


def sign_in_there(page: Page, name: str) -> None:
    """Type a name at the provider."""
    page.fill("input[name=login]", name)
    page.get_by_role("button", name="Sign in").click()


def sign_out(page: Page) -> None:
    """From the menu, and at the provider."""
    page.locator("[data-menu] summary").click()
    page.locator("[data-menu] button[type=submit]").last.click()
    page.get_by_role("button", name="Yes, sign me out").click()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_there_and_back_and_out_again(
    open_page: Callable[..., Page], dashboard: Dashboard, assert_accessible: Callable[[Page], None], size: object
) -> None:
    page = open_page(None, "/signin?next=/profile", size=size)
    assert_accessible(page)
    page.get_by_role("link", name="Sign in at Example University").click()
    sign_in_there(page, "ada")
    expect(page).to_have_url(f"{dashboard.address}/profile")
    expect(page.get_by_text("You have none here: you sign in at Example University.")).to_be_visible()
    page.goto("/")
    expect(page.get_by_text("MA1").first).to_be_visible()  # by her group
    sign_out(page)
    expect(page).to_have_url(f"{dashboard.address}/signin")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    page.goto("/profile")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("link", name="Sign in at Example University").click()
    expect(page.locator("input[name=login]")).to_be_visible()  # there, too, nobody is signed in


@pytest.mark.exhaustive
def test_people_of_all_kinds(
    open_page: Callable[..., Page], dashboard: Dashboard, assert_accessible: Callable[[Page], None]
) -> None:
    made = open_page(None, "/signin")
    made.get_by_role("link", name="Sign in at Example University").click()
    sign_in_there(made, "grace")
    expect(made.locator("[data-menu] summary")).to_contain_text("Grace Hopper")

    student = open_page(None, "/me/signin", size=NARROW)
    assert_accessible(student)
    student.get_by_role("link", name="Sign in at Example University").click()
    sign_in_there(student, "alan")
    expect(student).to_have_url(f"{dashboard.address}/me")
    assert_accessible(student)

    stranger = open_page(None, "/signin", size=NARROW)
    stranger.get_by_role("link", name="Sign in at Example University").click()
    sign_in_there(stranger, "mallory")
    expect(stranger.get_by_role("heading", name="There is nothing for you here yet")).to_be_visible()
    expect(stranger.get_by_text("There you are signed in as mallory@evil.example.")).to_be_visible()
    assert_accessible(stranger)
    stranger.get_by_role("link", name="Sign in there as somebody else").click()
    sign_in_there(stranger, "grace")
    expect(stranger.locator("[data-menu] summary")).to_contain_text("Grace Hopper")
    with dashboard.sessions() as db:
        assert bound(db) >= {"grace", "alan"}


@pytest.mark.exhaustive
def test_signing_out_in_one_place_ends_the_other_by_the_back_channel(
    open_page: Callable[..., Page], dashboard: Dashboard, issuer: str
) -> None:
    page = open_page(None, "/signin")
    page.get_by_role("link", name="Sign in at Example University").click()
    sign_in_there(page, "ada")
    expect(page.locator("[data-menu] summary")).to_be_visible()
    there = page.context.new_page()
    there.goto(f"{issuer}/session/end")
    there.get_by_role("button", name="Yes, sign me out").click()
    expect(there.get_by_text("Sign-out Success")).to_be_visible()
    page.goto("/profile")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def bound(db: Session) -> set[str]:
    """The subjects that are bound to somebody."""
    return set(db.scalars(sa.select(ProviderIdentity.subject)))
