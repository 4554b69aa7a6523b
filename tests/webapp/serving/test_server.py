"""`attendance web` as a program."""

import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import ClassSession
from tests.factories import PASSWORD
from tests.webapp.lessons import LONG_AGO, make_lesson
from tests.webapp.running import environ_for, running_dashboard
from webapp.serving.server import ListenError, check_address


def run(environ, *options):
    command = [sys.executable, "-m", "operations.cli", "web", *options]
    return subprocess.run(
        command, env={"PATH": "/usr/bin", **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def test_serves_closes_sessions_and_stops_when_asked(site_settings, tmp_path):
    engine = create_database_engine(site_settings.database_url)
    sessions = session_factory(engine)
    with sessions() as db:
        lesson = make_lesson(db, starts_at=LONG_AGO)
    environ = environ_for(site_settings, ATTENDANCE_WEB_WORKERS="2", ATTENDANCE_WEB_LISTEN="0.0.0.0:0")
    with running_dashboard(environ, tmp_path / "log") as address:
        with urllib.request.urlopen(f"{address}/healthz", timeout=30) as answer:  # noqa: S310 - our own address
            assert answer.read() == b"ok\n"
        deadline = time.monotonic() + 30
        closed_at = None
        while closed_at is None and time.monotonic() < deadline:
            with sessions() as db:
                closed_at = db.get(ClassSession, lesson.session.id).closed_at
            time.sleep(0.1)
    engine.dispose()
    assert closed_at is not None
    log = (tmp_path / "log").read_text()
    assert "session_closed" in log
    assert log.count("listening_without_tls") == 1
    assert "Traceback" not in log
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=5)  # noqa: S310


def test_a_register_that_is_watched_does_not_hold_up_the_stop(site_settings, tmp_path):
    engine = create_database_engine(site_settings.database_url)
    with session_factory(engine)() as db:
        lesson = make_lesson(db)
    engine.dispose()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with running_dashboard(environ_for(site_settings), tmp_path / "log") as address:
        page = browser.open(f"{address}/signin", timeout=30).read().decode()
        token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
        form = {"csrf_token": token, "email": lesson.lecturer.email, "password": PASSWORD}
        browser.open(f"{address}/signin", urllib.parse.urlencode(form).encode(), timeout=30).close()
        stream = browser.open(f"{address}/sessions/{lesson.session.id}/live", timeout=30)
        assert stream.readline() == b"retry: 2000\n"
        assert b"stale" in stream.readline() + stream.readline()
    assert b"event:" not in stream.read()  # it ended by itself, whole
    stream.close()


def test_a_database_without_tables_is_one_sentence(tmp_path):
    done = run({"ATTENDANCE_DATA_DIRECTORY": str(tmp_path), "ATTENDANCE_WEB_LISTEN": "127.0.0.1:0"})
    assert done.returncode == 1
    where = f"sqlite:///{tmp_path}/attendance.db"
    assert done.stderr.splitlines() == [f"Error: the database {where} has no tables yet: run `attendance db upgrade`"]


def test_a_taken_port_is_one_sentence(site_settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(environ_for(site_settings, ATTENDANCE_WEB_LISTEN=listen))
    assert done.returncode == 1
    assert done.stderr.strip() == f"Error: ATTENDANCE_WEB_LISTEN: cannot listen on {listen}: Address already in use"


def test_the_debugger_is_not_for_the_network(site_settings):
    done = run(environ_for(site_settings, ATTENDANCE_WEB_LISTEN="0.0.0.0:8000"), "--debug")
    assert done.returncode == 1
    assert "--debug serves this machine only, but ATTENDANCE_WEB_LISTEN is 0.0.0.0:8000" in done.stderr


def test_a_damaged_key_is_one_sentence(site_settings):
    (site_settings.data.directory / "web-secret-key").write_text("short")
    done = run(environ_for(site_settings))
    assert done.returncode == 1
    assert "web-secret-key is damaged; delete it" in done.stderr


@pytest.mark.real
@pytest.mark.parametrize("listen", ["8000", ":8000", "localhost", "localhost:x", "localhost:99999", "192.0.2.1:8000"])
def test_an_address_that_cannot_be_is_named(listen):
    with pytest.raises(ListenError, match="ATTENDANCE_WEB_LISTEN"):
        check_address(listen)


@pytest.mark.real
def test_addresses_of_both_kinds():
    check_address("127.0.0.1:0")
    check_address("[::1]:0")
