"""Two dashboards on one database: whichever is asked, the answer is the same."""

import http.cookiejar
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Account, Course, ImportedFilePart, Role, SignInAttempt, Student
from attendance.settings import Settings
from tests.factories import PASSWORD, make_course, make_lecturer
from tests.webapp.running import environ_for, running_dashboard
from tests.webapp.visiting import plain
from webapp.account.throttle import PAIR_LIMIT


class Browser:
    """Keeps cookies, as a browser does that a load balancer sends now here, now there."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def open(self, address: str, data: bytes | None = None, kind: str | None = None) -> tuple[int, str, str]:
        """Status, address and text of the answer, redirects followed."""
        headers = {"Content-Type": kind} if kind else {}
        try:
            request = urllib.request.Request(address, data, headers)  # noqa: S310 - this machine's dashboards
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.url, answer.read().decode("utf-8-sig")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.url, error.read().decode()

    def send(self, address: str, form: dict[str, str]) -> tuple[int, str, str]:
        """Send a form with the token of its page."""
        return self.open(address, urllib.parse.urlencode({"csrf_token": self.token(address), **form}).encode())

    def upload(self, address: str, content: str) -> tuple[int, str, str]:
        """Send a file."""
        parts = {'name="csrf_token"': self.token(address), 'name="file"; filename="class.csv"': content}
        body = "".join(
            f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n{value}\r\n" for name, value in parts.items()
        )
        return self.open(address, f"{body}--x--\r\n".encode(), "multipart/form-data; boundary=x")

    def sign_in(self, address: str, email: str, password: str = PASSWORD) -> int:
        """The status of the answer."""
        return self.send(f"{address}/signin", {"email": email, "password": password})[0]

    def token(self, address: str) -> str:
        """The token of a page's forms."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.open(address)[2])
        assert found
        return unescape(found[1])


@pytest.fixture
def replicas(engine: sa.Engine, settings: Settings, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The addresses of two dashboards: one database and one key, and nothing else in common."""
    common = {
        "ATTENDANCE_DATABASE_URL": engine.url.render_as_string(hide_password=False),
        "ATTENDANCE_WEB_SECRET_KEY": "a key that is long enough for two replicas",
    }
    folders = [tmp_path / "one", tmp_path / "two"]
    environs = [environ_for(settings, **common, ATTENDANCE_DATA_DIRECTORY=str(folder)) for folder in folders]
    with (
        running_dashboard(environs[0], tmp_path / "log one") as one,
        running_dashboard(environs[1], tmp_path / "log two") as two,
    ):
        yield one, two
    # The database may be an SQLite file beside them; in their own folders nothing was kept.
    assert [path for folder in folders if folder.exists() for path in folder.iterdir()] == []


@pytest.fixture
def admin(sessions: sessionmaker[Session]) -> Account:
    with sessions.begin() as db:
        return make_lecturer(db, role=Role.ADMIN)


def test_an_import_begun_at_one_is_finished_at_the_other(
    replicas: tuple[str, str], admin: Account, sessions: sessionmaker[Session]
) -> None:
    one, two = replicas
    browser = Browser()
    assert browser.sign_in(one, admin.email) == 200
    many = 5_000
    lines = "".join(f"s{number:05d},{'N' * 100}\n" for number in range(many))
    status, address, _ = browser.upload(f"{one}/admin/import/students", f"index_number,name\n{lines},Nobody\n")
    assert status == 200
    path = urllib.parse.urlsplit(address).path
    status, _, page = browser.open(two + path)
    assert status == 200
    assert f"Will be added {many:,} Will be updated 0 Already there 0 Bad lines 1" in plain(page)
    assert browser.open(f"{two}{path}/report.csv")[2].splitlines()[1:] == [
        f'{many + 2},refused,index_number,index_number is empty.,",Nobody"'
    ]

    status, _, page = browser.send(two + path, {})
    assert status == 200
    assert "Imported" in plain(page)
    for replica in replicas:
        assert f"Added {many:,} Updated 0" in plain(browser.open(replica + path)[2])
        # Pressed again, wherever: it was done already.
        assert "imported already" in plain(browser.open(replica + path, b"csrf_token=" + _quoted(browser, one))[2])
    with sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == many
        assert {content.value for content in db.scalars(sa.select(ImportedFilePart.content))} == {"report"}


def test_another_administrator_s_import_is_at_neither(
    replicas: tuple[str, str], admin: Account, sessions: sessionmaker[Session]
) -> None:
    with sessions.begin() as db:
        other = make_lecturer(db, role=Role.ADMIN)
        make_course(db)
    one, two = replicas
    mine, theirs = Browser(), Browser()
    mine.sign_in(one, admin.email)
    theirs.sign_in(two, other.email)
    path = urllib.parse.urlsplit(mine.upload(f"{one}/admin/import/students", "index_number,name\ns1,A\n")[1]).path
    assert [mine.open(replica + path)[0] for replica in replicas] == [200, 200]
    assert [theirs.open(replica + path)[0] for replica in replicas] == [404, 404]
    assert [theirs.open(f"{replica}{path}/report.csv")[0] for replica in replicas] == [404, 404]
    # With the course that it is for, its file goes from both.
    with sessions() as db:
        course_id = db.scalar(sa.select(Course.id))
    text = "index_number,name\ns1,A\n"
    path = urllib.parse.urlsplit(mine.upload(f"{one}/admin/import/enrolments?course={course_id}", text)[1]).path
    assert mine.open(two + path)[0] == 200
    with sessions.begin() as db:
        db.execute(sa.delete(Course))
    assert [mine.open(replica + path)[0] for replica in replicas] == [404, 404]


def test_attempts_to_sign_in_are_counted_across_both(
    replicas: tuple[str, str], admin: Account, sessions: sessionmaker[Session]
) -> None:
    browser = Browser()
    statuses = [browser.sign_in(replicas[n % 2], admin.email, "wrong") for n in range(PAIR_LIMIT)]
    assert statuses == [422] * PAIR_LIMIT
    assert [browser.sign_in(replica, admin.email) for replica in replicas] == [429, 429]
    with sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).where(SignInAttempt.failed)) == PAIR_LIMIT


def test_right_passwords_at_both_at_once_are_no_failures(
    replicas: tuple[str, str], admin: Account, sessions: sessionmaker[Session]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(Browser().sign_in, replicas[n % 2], admin.email) for n in range(8)]
        assert [each.result() for each in done] == [200] * 8
    with sessions() as db:
        assert db.scalars(sa.select(SignInAttempt.id)).all() == []


def _quoted(browser: Browser, address: str) -> bytes:
    return urllib.parse.quote(browser.token(f"{address}/profile")).encode()
