"""Which student a browser shows the own page to.

A student's sign-in is kept as a lecturer's is (`webapp.account.identity`), and a browser has one, of either: a student
opens no page but those marked `@for_student`, whose views get the student and nothing else.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Flask, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from attendance.database.models import Student
from webapp.account.identity import forget_ended_sign_in, signed_in_student, this_sign_in
from webapp.account.permissions import Access, need_of, needs

P = ParamSpec("P")


def init_student_identity(app: Flask) -> None:
    """Ask whoever opens the own page signed out to sign in, before a form of theirs is looked at."""
    app.before_request(_require_student)


def for_student(view: Callable[Concatenate[Student, P], ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
    """Make a view one of the own page: it gets the student who is signed in; others are asked to sign in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        student = signed_in_student()
        if student is None:
            return _to_sign_in()
        return view(student, *args, **kwargs)

    return needs(Access.STUDENT)(guarded)


def _require_student() -> ResponseReturnValue | None:
    if request.endpoint is None or need_of(current_app, request.endpoint) is not Access.STUDENT:
        return None
    return None if signed_in_student() else _to_sign_in()


def _to_sign_in() -> ResponseReturnValue:
    # A lecturer who looks at a student's page stays signed in.
    ended = "1" if this_sign_in() is None and forget_ended_sign_in() else None
    return redirect(url_for("me.sign_in_page", ended=ended))
