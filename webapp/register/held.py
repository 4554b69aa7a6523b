"""What is held in a session, answered on its register or in an entry."""

import sqlalchemy as sa
from flask import abort, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.audiences import counts_in
from attendance.database.models import ClassSession, HeldObservation, HeldSighting
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import courses_seen, reach_session
from webapp.held.answering import HeldForm, answer_and_say
from webapp.register.blueprint import blueprint
from webapp.tools.storage import database


@blueprint.post("/held")
@needs(Permission.CORRECT)
def answer_held_here(session_id: int) -> ResponseReturnValue:
    """Accept or refuse what is held in the session."""
    session = reach_session(session_id)
    form = HeldForm()
    if not form.well_formed:
        abort(400, gettext("Choose what is accepted or refused on the register."))
    if not _are_of(session, form):
        abort(404)
    answer_and_say(form, form.sightings, form.minutes, account_id=current_account().id)
    return redirect(url_for("register.page", session_id=session.id, _anchor="held"))


def _are_of(session: ClassSession, form: HeldForm) -> bool:
    """Whether all of it is of the session, and of students whom the lecturer sees in it."""
    db, ids = database(), form.sightings
    theirs = counts_in(session, courses_seen(session), HeldSighting.student_id)
    sightings = sa.select(sa.func.count()).where(
        HeldSighting.id.in_(ids), HeldSighting.session_id == session.id, theirs
    )
    minutes = sa.select(sa.func.count()).where(
        HeldObservation.id.in_(form.minutes), HeldObservation.session_id == session.id
    )
    return db.scalar(sightings) == len(ids) and db.scalar(minutes) == len(form.minutes)
