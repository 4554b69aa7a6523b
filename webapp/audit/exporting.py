"""Every file that leaves the dashboard is in the audit log: one place for all pages that offer one."""

from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, request
from sqlalchemy.orm import Session

from attendance.database.audit.noting import THE_STUDENT, Actor, note, words_of_session
from attendance.database.models import AuditAction, Camera, ClassSession, Course, Department, Student
from attendance.database.transactions import transact
from webapp.account.identity import signed_in_account, signed_in_student
from webapp.audit.words import TYPED
from webapp.tools.storage import database

_SAID = frozenset(
    {
        "action", "as_of", "below", "course", "day", "department", "from", "group", "list", "of", "order", "room",
        "session", "show", "sort", "state", "status", "to", "weeks", "why",
    }
)  # fmt: skip
"""Filters of which the log says the value. Of others it says only that there is one: what was typed may be a name."""


def init_exports(app: Flask) -> None:
    """Note each file before it leaves; where it cannot be noted, it does not leave."""
    app.after_request(_note_file)


def _note_file(response: Response) -> Response:
    is_file = (response.headers.get("Content-Disposition") or "").startswith("attachment")
    if not is_file or response.status_code != 200 or request.method == "HEAD":
        return response
    actor, student = _who()
    try:
        transact(database(), lambda db: _note(db, actor, student))
    except BaseException:
        response.close()
        raise
    return response


def _who() -> tuple[Actor | int | None, str | None]:
    """Who takes the file, and of which student it is on the student's own page."""
    account = signed_in_account()
    if account is not None:
        return account.id, None
    student = signed_in_student()
    return (None, None) if student is None else (THE_STUDENT, student.index_number)


def _note(db: Session, actor: Actor | int | None, student: str | None) -> None:
    values = request.view_args or {}
    if "student_id" in values:
        student = db.scalar(sa.select(Student.index_number).where(Student.id == values["student_id"]))
    details: dict[str, str | int] = {"page": str(request.endpoint)}
    if values.get("form"):
        details["form"] = str(values["form"])
    for name, value in request.args.items(multi=True):
        if value and name != "page":
            said = value if name in _SAID else TYPED
            details[name] = f"{details[name]}, {said}" if name in details else said
    note(db, AuditAction.EXPORTED, actor=actor, student=student, subject=_subject(db, values), details=details)


def _subject(db: Session, values: dict[str, Any]) -> str | None:
    """What the address of a file names."""
    if "session_id" in values:
        session = db.get(ClassSession, values["session_id"])
        return None if session is None else words_of_session(session)
    if "course_id" in values:
        return db.scalar(sa.select(Course.code).where(Course.id == values["course_id"]))
    if "department_id" in values:
        return db.scalar(sa.select(Department.name).where(Department.id == values["department_id"]))
    if "camera_id" in values:
        return db.scalar(sa.select(Camera.name).where(Camera.id == values["camera_id"]))
    return None
