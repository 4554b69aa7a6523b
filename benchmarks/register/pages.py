"""The dashboard's pages, fetched in turn with an empty one."""

import random
import re
import statistics
import time
from collections import defaultdict
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any

import flask
import sqlalchemy as sa
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.sign_ins import begin_sign_in
from attendance.database.engine import begin_writing
from attendance.database.models import Account, utc_now
from benchmarks.register.term import Term
from webapp.tools.storage import sessions_of

EMPTY = "empty page"
REGISTER = "register of 500"
AT_RISK = "students at risk in a department"
COMPARED = "courses of a department"


@dataclass
class Page:
    """One page's times.

    Attributes:
        seconds: of each fetch.
        sql_s: of each fetch, in the database driver.
        html_s: of each fetch, in templates.
        statements: of one fetch.
        size: bytes of the answer.
    """

    name: str
    person: int
    path: str
    seconds: list[float] = field(default_factory=list)
    sql_s: list[float] = field(default_factory=list)
    html_s: list[float] = field(default_factory=list)
    statements: int = 0
    size: int = 0

    def result(self, empty: float) -> dict[str, Any]:
        """Medians in milliseconds, and the ratio to the empty page's."""
        median = statistics.median(self.seconds)
        return {
            "path": re.sub(r"\d+", "N", self.path),
            "ms": 1_000 * median,
            "ratio": median / empty,
            "sql_ms": 1_000 * statistics.median(self.sql_s),
            "html_ms": 1_000 * statistics.median(self.html_s),
            "statements": self.statements,
            "kilobytes": self.size / 1_000,
        }


def pages_of(term: Term) -> list[Page]:
    """Every kind of page that reads rows, with the person who opens it."""
    lecturer, admin = term.lecturer, term.admin
    large, student = f"/sessions/{term.large_session}", f"/students/{term.student}"
    course = f"/courses/{term.large_course}"
    return [
        Page(EMPTY, lecturer, f"/sessions/{term.empty_session}"),
        Page(REGISTER, lecturer, large),
        Page("register of 500, CSV", lecturer, f"{large}/register.csv"),
        Page("register of a usual course", admin, f"/sessions/{term.usual_session}"),
        Page("entry", lecturer, f"{large}/students/{term.student}"),
        Page("lecturer's home", lecturer, "/"),
        Page("administrator's home", admin, "/"),
        Page("course", lecturer, course),
        Page("course's students", lecturer, f"{course}/students"),
        Page("course's report", lecturer, f"{course}/report"),
        Page(COMPARED, admin, f"/departments/{term.department}"),
        Page(AT_RISK, admin, f"/departments/{term.department}/at-risk"),
        Page("not recorded in a department", admin, f"/departments/{term.department}/unrecorded"),
        Page("cameras of a department", admin, f"/departments/{term.department}/cameras"),
        Page("student", lecturer, student),
        Page("records", admin, "/records"),
        Page("records, page 200", admin, "/records?page=200"),
        Page("records of a course", lecturer, f"/records?course={term.large_course}"),
        Page("records, who was absent", admin, "/records?status=absent"),
        Page("exam office", admin, "/exam-office"),
        Page("overview", admin, "/admin"),
        Page("courses", admin, "/admin/courses"),
        Page("course, administrator", admin, f"/admin/courses/{term.large_course}"),
        Page("course's roster", admin, f"/admin/courses/{term.large_course}/students"),
        Page("students", admin, "/admin/students"),
        Page("students found by name", admin, "/admin/students?q=01999"),
        Page("student, administrator", admin, f"/admin/students/{term.student}"),
        Page("timetable", admin, "/admin/timetable"),
        Page("timetable of a day past", admin, f"/admin/timetable?from={term.now.date().replace(day=1)}"),
        Page("session's form", admin, f"/admin/timetable/{term.large_session}"),
        Page("rooms", admin, "/admin/rooms"),
        Page("cameras", admin, "/admin/cameras"),
        Page("lecturers", admin, "/admin/accounts"),
    ]


def measure_pages(app: flask.Flask, sessions: sessionmaker[Session], term: Term, *, rounds: int) -> list[Page]:
    """Fetch every page `rounds` times, in a new order each round; three rounds before do not count.

    Raises:
        RuntimeError: a page does not answer 200.
    """
    clients = {person: signed_in(app, _person(sessions, person)) for person in (term.admin, term.lecturer)}
    pages = pages_of(term)
    shuffled, chance = list(pages), random.Random(1)  # noqa: S311 - an order
    with _Clock(app, sessions.kw["bind"]) as clock:
        for number in range(-3, rounds):
            chance.shuffle(shuffled)
            for page in shuffled:
                clock.clear()
                begin = time.perf_counter()
                answer = clients[page.person].get(page.path)
                body = answer.get_data()
                took = time.perf_counter() - begin
                if answer.status_code != 200:
                    raise RuntimeError(f"{page.path}: {answer.status}")
                if number >= 0:
                    page.seconds.append(took)
                    page.sql_s.append(clock.seconds["sql"])
                    page.html_s.append(max(0.0, clock.seconds["html"] - clock.seconds["sql in html"]))
                page.statements, page.size = clock.statements, len(body)
    return pages


def signed_in(app: flask.Flask, person: Account) -> FlaskClient:
    """A client that is signed in without typing a password."""
    client = app.test_client()
    with sessions_of(app).begin() as db, client.session_transaction() as session:
        begin_writing(db)
        account = db.get_one(Account, person.id)
        session["sign_in"] = begin_sign_in(db, account, now=utc_now(), lifetime=timedelta(hours=12))
    return client


def _person(sessions: sessionmaker[Session], number: int) -> Account:
    with sessions() as db:
        return db.get_one(Account, number)


class _Clock(AbstractContextManager["_Clock"]):
    """Where the time of one request goes: in statements, and in templates."""

    def __init__(self, app: flask.Flask, engine: sa.Engine) -> None:
        self._app, self._engine = app, engine
        self._began: list[float] = []
        self._html: float | None = None
        self.clear()

    def clear(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.statements = 0

    def __enter__(self) -> "_Clock":
        sa.event.listen(self._engine, "before_cursor_execute", self._before)
        sa.event.listen(self._engine, "after_cursor_execute", self._after)
        flask.before_render_template.connect(self._render, self._app)
        flask.template_rendered.connect(self._rendered, self._app)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sa.event.remove(self._engine, "before_cursor_execute", self._before)
        sa.event.remove(self._engine, "after_cursor_execute", self._after)
        flask.before_render_template.disconnect(self._render, self._app)
        flask.template_rendered.disconnect(self._rendered, self._app)

    def _before(self, *_call: object) -> None:
        self._began.append(time.perf_counter())

    def _after(self, *_call: object) -> None:
        took = time.perf_counter() - self._began.pop()
        self.statements += 1
        self.seconds["sql"] += took
        if self._html is not None:
            self.seconds["sql in html"] += took

    def _render(self, *_call: object, **_context: object) -> None:
        self._html = time.perf_counter()

    def _rendered(self, *_call: object, **_context: object) -> None:
        if self._html is not None:
            self.seconds["html"] += time.perf_counter() - self._html
        self._html = None
