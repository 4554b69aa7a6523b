"""Visiting the dashboard in a test, without a browser's screen."""

import re
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session, object_session, sessionmaker
from werkzeug.test import TestResponse

from attendance.database.access.sign_ins import begin_sign_in
from attendance.database.engine import begin_writing
from attendance.database.models import Account, utc_now
from attendance.settings import Settings
from webapp.tools.storage import sessions_of

WITH_MAIL: dict[str, dict[str, Any]] = {
    "mail": {"host": "127.0.0.1", "port": 9, "security": "none", "sender": "attendance@example.edu", "timeout_s": 5},
    "web": {"address": "https://attendance.example.edu"},
}
"""Sections of the settings of a site whose mail is on; nobody listens there."""


class Visitor:
    """A browser without a screen: keeps cookies, and sends each form's token by itself."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def enter_as(self, lecturer: Account) -> "Visitor":
        """Be signed in without typing a password, which takes a tenth of a second; commits what the test wrote."""
        writing = object_session(lecturer)
        if writing is not None:
            writing.commit()
        with sessions_of(self.client.application).begin() as db, self.client.session_transaction() as session:
            begin_writing(db)
            person = db.get_one(Account, lecturer.id)
            session["sign_in"] = begin_sign_in(db, person, now=utc_now(), lifetime=timedelta(hours=12))
        return self

    def get(self, path: str, **arguments: Any) -> TestResponse:
        """Open an address."""
        return self.client.get(path, **arguments)

    def text(self, path: str) -> str:
        """The text of a page that must be there, without markup, white space made single."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status, answer.text)
        return plain(answer.text)

    def post(self, path: str, data: dict[str, Any] | None = None, **arguments: Any) -> TestResponse:
        """Send a form with its token."""
        return self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, **arguments)

    def token(self) -> str:
        """The token that forms of this visitor carry."""
        for path in ("/profile", "/profile/second-step", "/signin"):
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get(path).text)
            if found:
                return found[1]
        raise AssertionError("no form")


@dataclass(frozen=True)
class Entered:
    """Somebody's browser as it was when they had come in: each request is made from there, whatever others did."""

    app: Flask
    session: str
    token: str
    """That its forms carry."""

    @classmethod
    def of(cls, visitor: Visitor) -> "Entered":
        """As the visitor's is now."""
        app, token = visitor.client.application, visitor.token()
        cookie = visitor.client.get_cookie(app.config["SESSION_COOKIE_NAME"])
        return cls(app, "" if cookie is None else cookie.value, token)

    def client(self) -> FlaskClient:
        """The browser."""
        client = self.app.test_client()
        client.set_cookie(self.app.config["SESSION_COOKIE_NAME"], self.session)
        return client


def plain(html: str) -> str:
    """What a page says, without markup."""
    html = re.sub(r"(?s)<(script|style|head)\b.*?</\1>", " ", html)
    html = re.sub(r"</?time\b[^>]*>", "", html)
    return " ".join(re.sub(r"(?s)<[^>]+>", " ", html).split())


@dataclass
class Site:
    """The dashboard on a fresh SQLite database."""

    settings: Settings
    app: Flask
    sessions: sessionmaker[Session]
    statements: list[str] = field(default_factory=list)

    def visitor(self, lecturer: Account | None = None) -> Visitor:
        """A new visitor, signed in as the lecturer if one is given."""
        visitor = Visitor(self.app)
        return visitor.enter_as(lecturer) if lecturer else visitor


def make_settings(folder: Path, migrated_file: Path, **sections: Any) -> Settings:
    """Settings of a site in Warsaw whose data is in the folder, which is made."""
    folder.mkdir(parents=True)
    shutil.copy(migrated_file, folder / "attendance.db")
    given = {"data": {"directory": folder}, "institution": {"name": "Test University", "timezone": "Europe/Warsaw"}}
    given["attendance"] = {"settle_minutes": 0}  # tests do not wait
    return Settings.model_validate({**given, **sections})
