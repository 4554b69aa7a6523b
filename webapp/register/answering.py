"""Answering a student who calls an entry wrong: correct it, or say why it stays."""

from flask import abort
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.corrections import EntryChangedError, NoEntryError
from attendance.database.models import Dispute, Status
from attendance.database.requests.disputes import DisputeError, answer_dispute, disputes_of_entry
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_session
from webapp.register.blueprint import blueprint
from webapp.register.correcting import entry_page, reach_row, saved
from webapp.register.forms import LEAVE, AnswerForm
from webapp.tools.languages import say_error
from webapp.tools.storage import database


@blueprint.post("/students/<int:student_id>/dispute")
@needs(Permission.CORRECT)
def answer(session_id: int, student_id: int) -> ResponseReturnValue:
    """Answer; from a script, the answer is the new row."""
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    dispute = open_dispute(session_id, student_id)
    if dispute is None:
        abort(404)
    form = AnswerForm().offer(row.state, dispute.claimed)
    if not form.validate():
        return entry_page(session, row, answering=form), 422
    chosen = None if form.decision.data == LEAVE else Status(form.decision.data)
    try:
        answer_dispute(
            database(),
            dispute_id=dispute.id,
            status=chosen,
            answer=form.answer.data or "",
            account_id=current_account().id,
            version=form.known_version,
        )
    except NoEntryError:
        abort(404)
    except EntryChangedError:
        row = reach_row(session, student_id)
        form.version.data = str(row.entry_version)
        form.decision.errors = [gettext("The entry was changed meanwhile. Look at it again, and answer once more.")]
        return entry_page(session, row, answering=form.offer(row.state, dispute.claimed)), 409
    except DisputeError as error:
        abort(400, say_error(error))
    return saved(session, student_id, form, gettext("%(name)s is answered.", name=row.name))


def open_dispute(session_id: int, student_id: int) -> Dispute | None:
    """What the student says of the entry, if nobody has answered."""
    said = disputes_of_entry(database(), session_id, student_id)
    return next((dispute for dispute in said if dispute.open), None)
