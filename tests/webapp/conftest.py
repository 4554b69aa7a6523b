"""A dashboard for tests: through Flask's client, and as a real server with a real browser."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from playwright.sync_api import Browser, Page, expect, sync_playwright
from sqlalchemy.orm import Session, sessionmaker
from werkzeug.routing import Rule

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Account, Role
from attendance.settings import Settings
from tests.axe import WCAG, violations
from tests.factories import make_lecturer
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.screens import CHROMIUM_OPTIONS, WIDE, wait_until_drawn
from tests.webapp.visiting import Site, Visitor, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

_PATIENCE_MS = 30_000
"""For a page on a machine that is busy with other tests."""


class _Compiled(BytecodeCache):
    """Templates as they were compiled first."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key, bucket.checksum] = bucket.code


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once() -> Iterator[None]:
    """Every test makes its dashboard anew; compiling the templates for each took more time than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": _Compiled()})
        yield


@pytest.fixture(scope="session", autouse=True)
def _addresses_compiled_once() -> Iterator[None]:
    """Werkzeug compiles each of the two hundred addresses, which was most of the time that making a dashboard took."""
    compile_one = Rule._compile_builder
    known: dict[tuple[Any, ...], Callable[..., tuple[str, str]]] = {}

    def compiled(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        # What it gives depends on these alone; it finds the rule's converters when it is called.
        key = (rule.rule, rule.subdomain, repr(rule.defaults), append_unknown)
        if key not in known:
            known[key] = compile_one(rule, append_unknown)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rule, "_compile_builder", compiled)
        yield


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Settings of a site in Warsaw with its own data folder and tables."""
    return make_settings(tmp_path / "site", migrated_file)


@pytest.fixture
def site(site_settings: Settings) -> Iterator[Site]:
    """The dashboard on a fresh SQLite database; `site.statements` collects the SQL that pages run."""
    app = create_app(site_settings)
    app.testing = False  # errors are answered as for people
    made = Site(site_settings, app, sessions_of(app))
    engine = made.sessions.kw["bind"]
    sa.event.listen(engine, "before_cursor_execute", lambda *call: made.statements.append(call[2]))
    yield made
    engine.dispose()


@pytest.fixture
def site_db(site: Site) -> Iterator[Session]:
    """One session of the site's database."""
    with site.sessions() as db:
        yield db


@pytest.fixture
def admin(site: Site, site_db: Session) -> Visitor:
    """An administrator's visit."""
    account = make_lecturer(site_db, role=Role.ADMIN)
    site_db.commit()
    return site.visitor(account)


# A real server and a real browser. They live for one module: Playwright keeps an event loop running while it is open.


@dataclass(frozen=True)
class Dashboard:
    """A running `attendance web` on SQLite."""

    address: str
    settings: Settings
    sessions: sessionmaker[Session]

    def cookie_of(self, lecturer: Account) -> Any:
        """What a browser has of somebody who signed in, made here: typing a password and looking on takes a second."""
        app = create_app(self.settings)
        cookie = Visitor(app).enter_as(lecturer).client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        sessions_of(app).kw["bind"].dispose()
        assert cookie is not None
        return {"name": cookie.key, "value": cookie.value, "url": self.address}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Dashboard]:
    """A running dashboard that tests of a module share; each test adds rows of its own."""
    folder = tmp_path_factory.mktemp("dashboard") / "data"
    settings = make_settings(folder, migrated_file)
    engine = create_database_engine(settings.database_url)
    with running_dashboard(environ_for(settings), folder.parent / "log") as address:
        yield Dashboard(address, settings, session_factory(engine, settings.attendance))
    engine.dispose()


@pytest.fixture(scope="module")
def browser(require_program: Callable[[list[str], str], str]) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = require_program(["chromium", "chromium-browser", "google-chrome"], "chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=CHROMIUM_OPTIONS)
        expect.set_options(timeout=_PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser, dashboard: Dashboard) -> Iterator[Callable[..., Page]]:
    """`open_page(lecturer, path="/", size=WIDE, **context)`: a page, signed in; any script error fails the test."""
    contexts = []
    complaints: list[str] = []

    def open_(lecturer: Account | None, path: str = "/", *, size: Any = None, **context: Any) -> Page:
        made = browser.new_context(viewport=size or WIDE, base_url=dashboard.address, **context)
        contexts.append(made)
        if lecturer is not None:
            made.add_cookies([dashboard.cookie_of(lecturer)])
        page = made.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: _note(complaints, message))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], message: Any) -> None:
    # A refused form is reported as a failed load; what matters is scripts and the content security policy.
    if message.type == "error" and "Failed to load resource" not in message.text:
        complaints.append(message.text)


@pytest.fixture
def assert_accessible() -> Callable[[Page], None]:
    """`assert_accessible(page)`: axe finds no violation of WCAG 2.1 A and AA, and the page is not wider than it."""

    def check(page: Page) -> None:
        # Colours in the middle of a transition are no colours of the page.
        page.emulate_media(reduced_motion="reduce")
        wait_until_drawn(page)
        assert violations(page, *WCAG) == [], page.url
        assert "<" not in page.title(), f"{page.url}: markup in the title {page.title()}"
        if page.evaluate("matchMedia('print').matches"):
            return  # paper has a width of its own, which other tests look at
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"], f"{page.url} is {width} wide"  # type: ignore[index]

    return check
