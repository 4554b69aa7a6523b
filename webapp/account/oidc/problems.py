"""The page for whom the sign-in at the provider did not let in: what happened, in plain words, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import make_response, render_template
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from webapp.account.oidc.room import provider_name
from webapp.account.oidc.trouble import Reason


@dataclass(frozen=True)
class Problem:
    """What a person is told.

    Attributes:
        title: what happened.
        words: more, and what to do; may name the `%(provider)s` and the `%(address)s` that it gave.
        status: of the answer.
        again: whether to try again is of use.
        other: whether to sign in there as somebody else is.
    """

    title: Any
    words: Any
    status: int
    again: bool = False
    other: bool = False


_NOT_LET_IN = lazy_gettext("You are not let in")
_DID_NOT_WORK = lazy_gettext("The sign-in did not work")

_NOTHING_HELPS = Problem(
    _DID_NOT_WORK,
    lazy_gettext(
        "%(provider)s gave an answer that cannot be trusted, so nobody was signed in. Try again; if it stays so, tell "
        "an administrator."
    ),
    400,
    again=True,
)
_AWAY = Problem(
    lazy_gettext("%(provider)s does not answer"),
    lazy_gettext(
        "Signing in there is not possible just now. Nothing is lost: whoever is signed in stays signed in, and cameras "
        "go on. Try again in a few minutes."
    ),
    503,
    again=True,
)
PROBLEMS: Mapping[Reason, Problem] = {
    Reason.AWAY: _AWAY,
    Reason.BUSY: _AWAY,
    Reason.UNUSABLE: Problem(
        _DID_NOT_WORK,
        lazy_gettext(
            "%(provider)s and this dashboard do not understand each other. An administrator must look at it: the log "
            "and the command attendance doctor say what is wrong."
        ),
        502,
    ),
    Reason.UNTRUE: _NOTHING_HELPS,
    Reason.CODE: _NOTHING_HELPS,
    Reason.CLOCK: Problem(
        _DID_NOT_WORK,
        lazy_gettext(
            "The clock of %(provider)s and the clock of this server differ, so its answer is not believed. Tell an "
            "administrator."
        ),
        502,
        again=True,
    ),
    Reason.STALE: Problem(
        lazy_gettext("Please sign in again"),
        lazy_gettext(
            "This sign-in was not begun in this browser, was ended already, or took too long. That happens after the "
            "Back button, and with a bookmark of the provider's page."
        ),
        400,
        again=True,
    ),
    Reason.DECLINED: Problem(
        lazy_gettext("You did not sign in"),
        lazy_gettext("%(provider)s says that the sign-in was broken off, or does not let you use this dashboard."),
        403,
        again=True,
    ),
    Reason.TOO_MANY: Problem(
        lazy_gettext("Please wait"),
        lazy_gettext("There were too many failed sign-ins from your network. Wait a quarter of an hour."),
        429,
    ),
    Reason.NOT_ADMITTED: Problem(
        _NOT_LET_IN,
        lazy_gettext("%(provider)s knows you, but your institution does not let everybody whom it knows use this."),
        403,
        other=True,
    ),
    Reason.NO_CLAIM: Problem(
        _DID_NOT_WORK,
        lazy_gettext(
            "%(provider)s did not say which e-mail address or number you have, so nobody can tell who you are here. "
            "Tell an administrator."
        ),
        403,
        other=True,
    ),
    Reason.UNVERIFIED: Problem(
        _NOT_LET_IN,
        lazy_gettext("%(provider)s has not checked your e-mail address yet. Confirm it there, and sign in again."),
        403,
        again=True,
    ),
    Reason.NOBODY: Problem(
        lazy_gettext("There is nothing for you here yet"),
        lazy_gettext("%(provider)s knows you, but nobody here has your address. An administrator can add you."),
        403,
        other=True,
    ),
    Reason.TAKEN: Problem(
        _NOT_LET_IN,
        lazy_gettext(
            "Somebody else whom %(provider)s knows has signed in with your address before. If that was you, under a "
            "former account there, an administrator can release it."
        ),
        403,
        other=True,
    ),
    Reason.INACTIVE: Problem(
        _NOT_LET_IN,
        lazy_gettext("Your account here may not sign in any more. Ask an administrator if that is a mistake."),
        403,
        other=True,
    ),
}


def problem_page(reason: Reason, *, as_student: bool, address: str = "") -> ResponseReturnValue:
    """The page, as an answer of its kind.

    Args:
        reason: what happened.
        as_student: whether the person wanted to open the own page.
        address: as what the provider knows the person; "" where it does not say.
    """
    problem = PROBLEMS[reason]
    page = render_template(
        "account/provider_problem.html",
        problem=problem,
        provider=provider_name(),
        as_student=as_student,
        address=address,
    )
    response = make_response(page, problem.status)
    if problem.status in (429, 503):
        response.headers["Retry-After"] = "900" if problem.status == 429 else "60"
    return response
