"""Every address with every role and with nobody: each answers as the view says that it needs, and as the role may."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from attendance.database.models import Account, Course, Role
from attendance.settings import Settings
from tests.factories import make_lecturer
from tests.webapp.addresses import Address, addresses, furnish
from tests.webapp.visiting import WITH_MAIL, Entered, Site, make_settings
from webapp.account.permissions import PERMISSIONS, Access, Permission


class Answer(StrEnum):
    """What is expected of a request."""

    ALLOWED = "allowed"
    SIGN_IN = "asked to sign in"
    REFUSED = "refused"
    MISSING = "as if it were not there"


@dataclass(frozen=True)
class Campus:
    """A course with everything that addresses can name, another like it, and somebody of each role."""

    people: dict[Role | None, Account]
    here: dict[str, Any]
    elsewhere: dict[str, Any]


@pytest.fixture
def site_settings(tmp_path: Path, migrated_file: Path) -> Settings:
    """Of a site whose mail is on: some addresses are there only then."""
    return make_settings(tmp_path / "site", migrated_file, **WITH_MAIL)


@pytest.fixture
def campus(site: Site, site_db: Session) -> Campus:
    """Both courses; the people have their roles here only."""
    here, elsewhere = furnish(site_db, 1), furnish(site_db, 2)
    people: dict[Role | None, Account] = {None: make_lecturer(site_db)}
    people[Role.ADMIN] = make_lecturer(site_db, role=Role.ADMIN)
    course = site_db.get_one(Course, here["course_id"])
    people[Role.DEPARTMENT] = make_lecturer(site_db, role=Role.DEPARTMENT, of=course.department)
    for role in (Role.LECTURER, Role.ASSISTANT):
        people[role] = make_lecturer(site_db, role=role, of=course)
    site_db.commit()
    return Campus(people, here, elsewhere)


def expected(address: Address, role: Role | None, *, here: bool) -> Answer:
    """What the table of roles says about somebody who is signed in."""
    need = address.need
    if need is Access.STUDENT or address.endpoint in AFTER_A_PASSWORD:
        return Answer.SIGN_IN
    if isinstance(need, Access):
        return Answer.ALLOWED
    held = frozenset() if role is None else PERMISSIONS[role]
    if need in (Permission.ADMINISTER, Permission.AIM):
        return Answer.ALLOWED if need in held else Answer.REFUSED
    everywhere = Permission.ADMINISTER in held
    if address.has_place:
        return Answer.ALLOWED if everywhere or (here and need in held) else Answer.MISSING
    return Answer.ALLOWED if need in held or need is Permission.READ else Answer.REFUSED


def ask(entered: Entered, address: Address) -> Answer:
    """What the dashboard says; forms are sent with their token and nothing else."""
    data = {"csrf_token": entered.token} if address.method == "POST" else None
    answer = entered.client().open(address.path, method=address.method, data=data)
    if answer.status_code == 302 and answer.headers["Location"].partition("?")[0] in ("/signin", "/me/signin"):
        return Answer.ALLOWED if "Clear-Site-Data" in answer.headers else Answer.SIGN_IN  # signing out leads there too
    assert answer.status_code < 500, (address, answer.status_code)
    if answer.mimetype == "text/event-stream":  # which lasts as long as the session
        answer.close()
        return Answer.ALLOWED
    assert b"This form was open while your sign-in ended" not in answer.data, (address, "the token was refused")
    return {403: Answer.REFUSED, 404: Answer.MISSING}.get(answer.status_code, Answer.ALLOWED)


NEVER_THERE = frozenset(
    {
        "admin.import_report", "admin.import_now", "admin.try_again", "admin.download_report", "admin.download_faults",
        "admin.together_report", "admin.import_together_now", "admin.try_together_again", "profile.picture",
        "links.page", "links.set_password_now", "me.link_page", "me.open_link", "tokens.revoke", "lti.end_connection",
        "feeds.read",
    }
)  # fmt: skip
"""Of something that is kept for minutes, or of a picture: the test makes none, so who may open it gets 404."""


AFTER_A_PASSWORD = frozenset({"code.page", "code.check"})
"""Open to anybody, and lead to the sign-in unless a password was typed at this browser just now."""


@pytest.fixture
def as_it_was(site_settings: Any) -> Callable[[], None]:
    """Call it to have the database as it was when it was first called: forms that are allowed do what they do."""
    file = Path(site_settings.data.directory) / "attendance.db"
    kept = sqlite3.connect(":memory:")

    def restore() -> None:
        with sqlite3.connect(file) as live:
            if not kept.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                live.backup(kept)
            else:
                kept.backup(live)
        live.close()

    return restore


@pytest.mark.long("every address with every role: hundreds of requests")
def test_every_view_says_what_it_needs_and_no_role_opens_more(
    site: Site, campus: Campus, as_it_was: Callable[[], None]
) -> None:
    asked = 0
    for role, person in campus.people.items():
        as_it_was()
        browser = Entered.of(site.visitor(person))
        for here, values in ((True, campus.here), (False, campus.elsewhere)):
            for address in addresses(site, values):
                if not (here or address.has_place) or (not here and address.need is Permission.ADMINISTER):
                    continue  # the same whichever course it is
                wanted = expected(address, role, here=here)
                got = ask(browser, address)
                if wanted is Answer.ALLOWED and address.endpoint in NEVER_THERE:
                    assert got in (Answer.ALLOWED, Answer.MISSING), (role, address)
                else:
                    assert got is wanted, (role, "here" if here else "elsewhere", address)
                asked += 1
                if address.method == "POST" and wanted is Answer.ALLOWED:
                    as_it_was()
                    browser = Entered.of(site.visitor(person))
    assert asked > 600


def test_nobody_opens_what_wants_a_sign_in(site: Site, campus: Campus) -> None:
    stranger = Entered.of(site.visitor())
    for address in addresses(site, campus.here):
        got, wanted = ask(stranger, address), Answer.SIGN_IN
        if address.need is Access.ANYBODY:
            wanted = Answer.MISSING if address.endpoint in NEVER_THERE else Answer.ALLOWED
        if address.endpoint in AFTER_A_PASSWORD:
            wanted = Answer.SIGN_IN
        assert got is wanted, address


CHANGED_BY_LOOKING = frozenset({"sign_in.used_at", "sign_in_attempt", "audit_entry"})
"""When a sign-in was used last; that a link was tried; and of files that leave the dashboard, that they did."""


def test_looking_changes_nothing(site: Site, campus: Campus, site_settings: Settings) -> None:
    """So a link or a picture in somebody's mail, which browsers follow with the cookie, does nothing in their name."""
    administrator = site.visitor(campus.people[Role.ADMIN])
    administrator.get("/")
    with sqlite3.connect(site_settings.data.directory / "attendance.db") as database:
        before, version = _rows(database), _version(database)
        looked = [address for address in addresses(site, campus.here) if address.method == "GET"]
        for address in looked:
            answer = administrator.client.get(address.path)
            assert answer.status_code < 500, address
            answer.close()
            if (now := _version(database)) != version:
                version = now
                assert _rows(database) == before, address
    database.close()
    assert len(looked) > 80


def _version(database: sqlite3.Connection) -> int:
    """Another one after each change that somebody else makes."""
    return int(database.execute("PRAGMA data_version").fetchone()[0])


def _rows(database: sqlite3.Connection) -> dict[str, list[Any]]:
    """Everything in the database but what looking changes."""
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = {name for name in names if name not in CHANGED_BY_LOOKING and not name.startswith("sqlite_")}
    columns = {
        name: [column for _, column, *_ in database.execute(f"PRAGMA table_info({name})")] for name in sorted(kept)
    }
    found = {}
    for name, of in columns.items():
        chosen = ", ".join(column for column in of if f"{name}.{column}" not in CHANGED_BY_LOOKING)
        found[name] = database.execute(f"SELECT {chosen} FROM {name}").fetchall()  # noqa: S608 - names of our own
    return found


def test_each_role_may_what_the_table_says() -> None:
    """The table itself: no head, lecturer or assistant administers, and each may less than the one before."""
    assert PERMISSIONS[Role.ADMIN] == frozenset(Permission)
    assert PERMISSIONS[Role.ADMIN] > PERMISSIONS[Role.DEPARTMENT] > PERMISSIONS[Role.LECTURER]
    assert PERMISSIONS[Role.LECTURER] > PERMISSIONS[Role.ASSISTANT] == {Permission.READ, Permission.CORRECT}
    assert Permission.ADMINISTER not in PERMISSIONS[Role.DEPARTMENT]
