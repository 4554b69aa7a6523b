"""Every address of the interface with a token of every role: it opens what the table of roles says, and no more."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.webapp.account.test_permissions import (
    NEVER_THERE,
    Answer,
    Campus,
    as_it_was,
    campus,
    expected,
    site_settings,
)
from tests.webapp.addresses import Address, addresses
from tests.webapp.api.programs import PREFIX, Program, make_program
from tests.webapp.visiting import Site
from webapp.account.permissions import Access

__all__ = ["as_it_was", "campus", "site_settings"]


def bodies(values: dict[str, Any]) -> dict[str, Any]:
    """By view, a request that makes sense: what makes none is refused before it is looked up whose it is."""
    entry = {"student_id": values["student_id"], "version": 1, "status": "late"}
    return {
        "Attendance.set_entry": {"status": "late", "reason": "x"},
        "Attendance.set_entries": {"entries": [entry], "reason": "x"},
        "Excuses.add_excuse": {"first_day": "2026-11-02", "last_day": "2026-11-03", "reason": "x"},
        "Sessions.cancel_session": {"reason": "x"},
        "Imports.try_file_again": {"create": []},
        "Imports.apply_file": {},
    }


def ask(program: Program, address: Address, body: Any = None) -> Answer:
    """What the interface says to a request."""
    more = {} if body is None else {"json": body}
    answer = program.ask(address.method, address.path.removeprefix(PREFIX), headers={"If-Match": "*"}, **more)
    assert answer.status_code < 500, (address, answer.status_code)
    return {401: Answer.SIGN_IN, 403: Answer.REFUSED, 404: Answer.MISSING}.get(answer.status_code, Answer.ALLOWED)


@pytest.mark.long("every address with every role")
def test_no_token_opens_more_than_its_account(
    site: Site, campus: Campus, site_db: Session, as_it_was: Callable[[], None]
) -> None:
    programs = {role: make_program(site, site_db, person) for role, person in campus.people.items()}
    as_it_was()
    asked = 0
    for role, program in programs.items():
        for here, values in ((True, campus.here), (False, campus.elsewhere)):
            sent = bodies(values)
            for address in addresses(site, values, interface=True):
                wanted, got = expected(address, role, here=here), ask(program, address, sent.get(address.endpoint))
                if wanted is Answer.ALLOWED and "/imports/runs/" in address.path:  # the test made none
                    assert got in (Answer.MISSING, Answer.ALLOWED), (role, address)
                else:
                    assert got is wanted, (role, "here" if here else "elsewhere", address)
                asked += 1
                if address.method != "GET" and got is Answer.ALLOWED:
                    as_it_was()
    assert asked > 200


def test_nothing_opens_without_a_token(site: Site, campus: Campus) -> None:
    program = Program(site.app.test_client(), "att_nobody")
    for address in addresses(site, campus.here, interface=True):
        wanted = Answer.ALLOWED if address.need is Access.ANYBODY else Answer.SIGN_IN
        assert ask(program, address) is wanted, address
    assert NEVER_THERE  # of pages
