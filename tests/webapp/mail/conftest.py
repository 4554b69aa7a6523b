"""A dashboard that sends mail, and the server that it sends it to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.mail import queue_mail
from attendance.database.models import QueuedMail
from attendance.database.transactions import transact
from attendance.settings import Settings
from tests.webapp.mail.mailbox import Mailbox, running
from tests.webapp.visiting import WITH_MAIL, Site, make_settings
from webapp.app import create_app
from webapp.tools.storage import sessions_of

ADDRESS = "https://attendance.example.edu/room"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A mail server that takes everything, until told otherwise."""
    with running(Mailbox(), enable_SMTPUTF8=True) as made:
        yield made


@pytest.fixture
def mail_settings(tmp_path: Path, migrated_file: Path) -> Callable[..., Settings]:
    """`mail_settings(**mail)`: settings of a site whose mail is on."""

    def make(**mail: Any) -> Settings:
        given = WITH_MAIL["mail"] | mail
        return make_settings(tmp_path / "mail", migrated_file, mail=given, web={"address": ADDRESS})

    return make


@pytest.fixture
def site_settings(mail_settings: Callable[..., Settings]) -> Settings:
    """Settings of a site whose mail is on; nobody listens there unless the test asks for `mailbox`."""
    return mail_settings()


@pytest.fixture
def make_site(mail_settings: Callable[..., Settings]) -> Iterator[Callable[..., Site]]:
    """`make_site(**mail)`: a dashboard whose mail goes where the settings say."""
    engines = []

    def make(**mail: Any) -> Site:
        settings = mail_settings(**mail)
        app = create_app(settings)
        app.testing = False
        made = Site(settings, app, sessions_of(app))
        engines.append(made.sessions.kw["bind"])
        return made

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def put() -> Callable[..., int]:
    """`put(db, kind=..., to=..., **more)`: queue a mail and give its id."""

    def put_(db: Session, kind: str = "test", to: str = "ada@example.edu", **more: Any) -> int:
        given = {"language": None, "key": None, "data": {}, **more}
        assert transact(db, lambda db: queue_mail(db, kind=kind, to=to, **given))
        return db.scalars(sa.select(QueuedMail.id).order_by(QueuedMail.id.desc())).first() or 0

    return put_
