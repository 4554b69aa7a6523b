"""That a register is live, and that it says so when it is not: in Chromium, with the server killed, stopped, away."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from attendance.database.engine import create_database_engine, session_factory
from attendance.settings import Settings
from tests.faults.network import Network
from tests.webapp.lessons import make_lesson
from tests.webapp.running import environ_for
from tests.webapp.visiting import make_settings

WITHIN_S = 5.0


class Server:
    """A dashboard of this test's own, in a process group that can be stopped and killed as a whole."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        environ = {"PATH": "/usr/bin:/bin", **environ_for(settings)}
        with (folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "operations.cli", "web"],
                env=environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        self.address = "http://" + self._process.stdout.readline().split("http://", 1)[1].split()[0].rstrip("/.")

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self._process.pid, number)

    def end(self) -> None:
        if self._process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def server(tmp_path, migrated_file):
    settings = make_settings(tmp_path / "data", migrated_file)
    made = Server(settings, tmp_path)
    yield made
    made.end()


class Cable:
    """The way from the browser to the server, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._network = Network(port)
        asyncio.run_coroutine_threadsafe(self._network.__aenter__(), self._loop).result(10)
        self.address = f"http://{self._network.address}"

    def stall(self, seconds: float) -> None:
        """Let nothing pass for a while; connections stay open."""
        self._loop.call_soon_threadsafe(self._network.stall, seconds)

    def end(self) -> None:
        asyncio.run_coroutine_threadsafe(self._network.__aexit__(None, None, None), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def cable(server):
    made = Cable(int(server.address.rpartition(":")[2]))
    yield made
    made.end()


@pytest.fixture
def watched(server, cable, browser):
    """A register that runs, in a page that is live."""
    engine = create_database_engine(server.settings.database_url)
    with session_factory(engine)() as db:
        lesson = make_lesson(db, "Ada Byron")
        email = lesson.lecturer.email
    engine.dispose()
    context = browser.new_context(base_url=cable.address)
    page = context.new_page()
    page.goto("/signin")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")
    page.goto(f"/sessions/{lesson.session.id}")
    expect(page.locator("[data-live-state]")).to_contain_text("Live, updated")
    yield page
    context.close()


def said_within(page: Page, text: str, seconds: float) -> None:
    began = time.monotonic()
    expect(page.locator("[data-live-state]")).to_contain_text(text, timeout=seconds * 1000)
    assert time.monotonic() - began <= seconds


def test_live_means_that_the_time_goes_on(watched):
    state = watched.locator("[data-live-state]")
    first = state.inner_text()
    expect(state).not_to_have_text(first, timeout=5000)
    expect(state).to_contain_text("Live, updated")


def test_a_server_that_is_killed_is_told_within_five_seconds(server, watched):
    server.signal(signal.SIGKILL)
    said_within(watched, "Connection lost. Last update", WITHIN_S)
    expect(watched.locator("[data-announce]")).to_contain_text("Connection lost")


def test_a_server_that_is_stopped_is_told_within_five_seconds_and_when_it_is_back(server, watched):
    server.signal(signal.SIGSTOP)
    said_within(watched, "Connection lost. Last update", WITHIN_S)
    server.signal(signal.SIGCONT)
    said_within(watched, "Live, updated", 30)


def test_a_network_that_is_away_is_told_within_five_seconds_and_when_it_is_back(cable, watched):
    cable.stall(8)
    said_within(watched, "Connection lost. Last update", WITHIN_S)
    said_within(watched, "Live, updated", 30)
