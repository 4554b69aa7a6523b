"""Which student a browser shows the own page to.

A student's sign-in and a lecturer's are different things in the cookie, and never both: a student opens no page but
those marked `@for_student`, whose views get the student and nothing else.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Flask, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue

from attendance.database.access.sign_ins import was_there
from attendance.database.models import Student
from webapp.account.identity import sign_out
from webapp.account.permissions import Access, need_of, needs
from webapp.tools.storage import database

P = ParamSpec("P")

_SIGNED_IN = "student"


def init_student_identity(app: Flask) -> None:
    """Ask whoever opens the own page signed out to sign in, before a form of theirs is looked at."""
    app.before_request(_require_student)


def sign_in_student(student: Student) -> None:
    """Start a fresh session for the student; what an earlier session held, a lecturer's too, is dropped."""
    sign_out()
    session[_SIGNED_IN] = [student.id, student.sign_in_epoch, datetime.now(UTC).timestamp()]


def sign_out_student() -> None:
    """End the session of this browser."""
    session.clear()


def signed_in_student() -> Student | None:
    """The student who is signed in; None for nobody, and when the time is over."""
    if "signed_in_student" not in g:
        g.signed_in_student = _load(session.get(_SIGNED_IN))
    student: Student | None = g.signed_in_student
    return student


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
    ended = "1" if session.pop(_SIGNED_IN, None) else None
    return redirect(url_for("me.sign_in_page", ended=ended))


def _load(kept: object) -> Student | None:
    if not (isinstance(kept, list) and len(kept) == 3):
        return None
    student_id, epoch, since = kept
    lifetime_s = current_app.config["ATTENDANCE"].students.signin_minutes * 60
    if not 0 <= datetime.now(UTC).timestamp() - since <= lifetime_s:
        return None
    student = database().get(Student, student_id)
    if student is None or student.sign_in_epoch != epoch or not was_there(student.created_at, since):
        return None
    return student
