"""The student says that an entry is wrong, or takes that back."""

from flask import abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.models import Status, Student
from attendance.database.requests.disputes import DisputeError, raise_dispute, take_back_dispute
from webapp.me.blueprint import blueprint
from webapp.me.dispute_form import DisputeForm
from webapp.me.entries import entry_page, reach_own_entry
from webapp.me.identity import for_student
from webapp.tools.languages import say_error
from webapp.tools.storage import database


@blueprint.post("/sessions/<int:session_id>/wrong")
@for_student
def call_wrong(student: Student, session_id: int) -> ResponseReturnValue:
    """Tell the lecturer that an entry is wrong."""
    own = reach_own_entry(student, session_id)
    form = DisputeForm(now=None if own.entry is None else own.entry.status)
    if not form.validate():
        return entry_page(student, own, form), 422
    try:
        raise_dispute(
            database(),
            session_id=session_id,
            student_id=student.id,
            claimed=Status(form.claimed.data),
            text=form.text.data or "",
        )
    except DisputeError as error:
        form.text.errors = [say_error(error)]
        return entry_page(student, own, form), 422
    flash(gettext("Your lecturer is told. The answer appears here."), "success")
    return redirect(url_for("me.entry", session_id=session_id))


@blueprint.post("/sessions/<int:session_id>/wrong/<int:dispute_id>/take-back")
@for_student
def take_back(student: Student, session_id: int, dispute_id: int) -> ResponseReturnValue:
    """Take back what nobody has answered yet."""
    reach_own_entry(student, session_id)
    if not take_back_dispute(database(), dispute_id=dispute_id, student_id=student.id):
        abort(404)
    flash(gettext("Taken back."), "success")
    return redirect(url_for("me.entry", session_id=session_id))
