"""A program that uses the interface, in tests: through Flask's client, without a cookie."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.models import Account, Course, utc_now
from tests.webapp.visiting import Site
from webapp.account.permissions import SCOPES

PREFIX = "/api/v1"
DAY = timedelta(days=1)


@dataclass
class Program:
    """A program with a token; addresses are below `/api/v1`."""

    client: FlaskClient
    token: str
    token_id: int = 0

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Ask for an address."""
        shown = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        return self.client.open(f"{PREFIX}{path}", method=method, headers=shown, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        """Read."""
        return self.ask("GET", path, **more)

    def read(self, path: str) -> Any:
        """What an address gives that must be there."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status, answer.text)
        return answer.json

    def items(self, path: str) -> list[dict[str, Any]]:
        """The items of a list, of all its parts."""
        found, cursor = [], ""
        while True:
            part = self.read(f"{path}{'&' if '?' in path else '?'}cursor={cursor}")
            found += part["items"]
            if part["next"] is None:
                return found
            cursor = part["next"]

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Write."""
        return self.ask(method, path, json=body, **more) if body is not None else self.ask(method, path, **more)


def make_program(
    site: Site,
    db: Session,
    account: Account,
    *,
    scopes: Sequence[str] = tuple(SCOPES),
    courses: Sequence[Course] | None = None,
    name: str = "Script",
) -> Program:
    """A program that acts for an account, with all scopes unless told otherwise; commits what the test wrote."""
    db.flush()
    db.refresh(account, ["roles"])
    row, token = make_access_token(db, account, NewToken(name, scopes, courses, DAY), now=utc_now())
    db.commit()
    return Program(site.app.test_client(), token, row.id)


def is_problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """The problem with which something was answered."""
    assert answer.status_code == status, (answer.status, answer.text)
    assert answer.mimetype == "application/problem+json"
    found: dict[str, Any] = answer.json or {}
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
