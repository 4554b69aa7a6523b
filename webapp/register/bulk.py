"""Several entries of a register changed at once: the chosen rows or all that are shown, and undoing it."""

from collections.abc import Collection, Mapping

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.bulk import BulkChange, correct_many
from attendance.database.bulk import undo as undo_change
from attendance.database.labels import LabelGoneError
from attendance.database.models import ClassSession, utc_now
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import courses_seen, reach_session, sees_students
from webapp.register.blueprint import blueprint
from webapp.register.forms import CHOSEN, BulkForm
from webapp.register.rows import RegisterRow, labels_of, read_register
from webapp.register.views import asked_filter, register_page
from webapp.tools.storage import database

_NAMED = 5


@blueprint.post("/bulk")
@needs(Permission.CORRECT)
def bulk(session_id: int) -> ResponseReturnValue:
    """Set a status for several students, with one reason."""
    session = reach_session(session_id)
    form = BulkForm(labels=labels_of(session))
    valid, versions = form.validate(), form.versions()
    if versions is None:
        abort(400)
    if not sees_students(session, versions):
        abort(404)
    if not versions:
        form.scope.errors = [
            gettext("Choose at least one row.") if form.scope.data == CHOSEN else gettext("No row is shown.")
        ]
    if not (valid and versions):
        return register_page(session, form, chosen=request.form.getlist("chosen")), 422
    status, label_id = form.decided
    try:
        done = correct_many(
            database(),
            session_id=session_id,
            versions=versions,
            status=status,
            label_id=label_id,
            reason=form.reason.data or "",
            account_id=current_account().id,
        )
    except LabelGoneError:
        form.label_is_gone()
        return register_page(session, form, chosen=request.form.getlist("chosen")), 422
    message = ngettext(
        "%(num)s entry is now %(status)s.",
        "%(num)s entries are now %(status)s.",
        len(done.changed),
        status=form.word,
    )
    say_done(session, done, message)
    search, state = asked_filter()
    return redirect(url_for("register.page", session_id=session_id, q=search or None, state=state or None))


@blueprint.post("/bulk/<batch>/undo")
@needs(Permission.CORRECT)
def undo_bulk(session_id: int, batch: str) -> ResponseReturnValue:
    """Undo such a change; what was changed after it stays."""
    session = reach_session(session_id)
    done = undo_change(database(), session_id=session_id, batch=batch, account_id=current_account().id)
    if done.changed:
        flash(
            ngettext(
                "Undone: %(num)s entry is as before.", "Undone: %(num)s entries are as before.", len(done.changed)
            ),
            "success",
        )
    else:
        flash(gettext("There was nothing to undo any more."), "info")
    _say_left(session, done.left)
    return redirect(url_for("register.page", session_id=session_id))


def say_done(session: ClassSession, done: BulkChange, text: str) -> None:
    """Say what became of a change of several entries, with a way to undo it."""
    undo_at = url_for("register.undo_bulk", session_id=session.id, batch=done.batch) if done.batch else None
    if done.changed:
        flash({"text": text, "undo": undo_at}, "success")  # type: ignore[arg-type] # any JSON does
    _say_left(session, done.left)


def _say_left(session: ClassSession, students: Collection[int]) -> None:
    """Name whose entries were left alone, because somebody else had changed them."""
    if not students:
        return
    rows: Mapping[int, RegisterRow] = {
        row.student_id: row for row in read_register(database(), session, utc_now(), courses_seen(session)).rows
    }
    names = [
        rows[student].name if student in rows else gettext("a student who left the course") for student in students
    ]
    more = len(names) - _NAMED
    shown = ", ".join(names[:_NAMED])
    named = gettext("%(names)s and %(more)s more", names=shown, more=more) if more > 0 else shown
    flash(
        gettext("Left alone, because they were changed meanwhile: %(names)s. Look at them again.", names=named),
        "warning",
    )
