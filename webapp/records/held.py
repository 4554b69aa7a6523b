"""What is held in all of one's courses: what cameras had kept, by outage, and the registers that wait."""

from typing import Any

import sqlalchemy as sa
from flask import Blueprint, abort, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.audiences import parts
from attendance.database.models import ClassSession
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reachable
from webapp.held.answering import HeldForm, answer_and_say
from webapp.held.waiting import held_in_courses
from webapp.tools.storage import database

blueprint = Blueprint("held", __name__, url_prefix="/held")


@blueprint.get("")
@needs(Permission.CORRECT)
def page() -> str:
    """Each camera's outages, to be accepted or refused in one, and the registers with other held sightings."""
    db = database()
    waiting = held_in_courses(db, reachable)
    counts = waiting.by_session
    query: sa.Select[Any] = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(counts))
    sessions = db.scalars(query.order_by(ClassSession.starts_at.desc(), ClassSession.id.desc())).all()
    return render_template("held/held.html", waiting=waiting, counts=counts, sessions=sessions)


@blueprint.post("")
@needs(Permission.CORRECT)
def answer() -> ResponseReturnValue:
    """Accept or refuse what a camera had kept, in every session of it that is the person's."""
    form = HeldForm()
    if not form.well_formed:
        abort(400, gettext("Choose what is accepted or refused."))
    # What was answered meanwhile does not wait any more, and what is not the person's never did.
    sightings, minutes = held_in_courses(database(), reachable).ids
    answer_and_say(form, form.sightings & {*sightings}, form.minutes & {*minutes}, account_id=current_account().id)
    return redirect(url_for("held.page"))
