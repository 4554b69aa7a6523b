"""Taking a register by hand where the machine has concluded nothing: too little was watched, for example."""

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.bulk import WantedEntry, decide_many
from attendance.database.models import ClassSession, Status, utc_now
from attendance.texts import english
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_session, sees_students
from webapp.register.blueprint import blueprint
from webapp.register.bulk import say_done
from webapp.register.forms import ALL_ABSENT, LEAVE, PRESENT_BUT, ByHandForm
from webapp.register.rows import read_register
from webapp.tools.storage import database

_REASONS = {
    PRESENT_BUT: english("Taken by hand: everybody was present but those who are marked."),
    ALL_ABSENT: english("Taken by hand: everybody was absent."),
    LEAVE: english("Looked at by hand: nothing is recorded."),
}


@blueprint.get("/by-hand")
@needs(Permission.CORRECT)
def by_hand(session_id: int) -> ResponseReturnValue:
    """Those of whom nothing is recorded, to tick who was absent."""
    return _page(reach_session(session_id), ByHandForm(formdata=None))


@blueprint.post("/by-hand")
@needs(Permission.CORRECT)
def take_by_hand(session_id: int) -> ResponseReturnValue:
    """Everybody present but the ticked ones, everybody absent, or left unrecorded; one change that can be undone."""
    session = reach_session(session_id)
    form = ByHandForm()
    entries, absent = form.entries(), form.absent()
    if entries is None or absent is None or not absent.items() <= entries.items():
        abort(400)
    if not sees_students(session, entries):
        abort(404)
    choice = form.choice.data or ""
    if not form.validate() or choice not in _REASONS or not entries:
        abort(400)
    done = decide_many(
        database(),
        session_id=session_id,
        wanted={
            student: WantedEntry(version, _status(choice, student in absent)) for student, version in entries.items()
        },
        reason=_REASONS[choice],
        account_id=current_account().id,
    )
    number = len(done.changed)
    left = ngettext("%(num)s entry is left without a status.", "%(num)s entries are left without a status.", number)
    taken = ngettext("%(num)s entry is taken by hand.", "%(num)s entries are taken by hand.", number)
    say_done(session, done, left if choice == LEAVE else taken)
    return redirect(url_for("register.page", session_id=session_id))


def _status(choice: str, absent: bool) -> Status | None:
    if choice == LEAVE:
        return None
    return Status.ABSENT if absent or choice == ALL_ABSENT else Status.PRESENT


def _page(session: ClassSession, form: ByHandForm) -> ResponseReturnValue:
    rows = [row for row in read_register(database(), session, utc_now(), courses_seen(session)).rows if row.by_hand]
    if not rows:
        flash(gettext("Nothing is left to be taken by hand."), "info")
        return redirect(url_for("register.page", session_id=session.id))
    return render_template(
        "register/by_hand.html",
        session=session,
        course=course_shown(session),
        rows=rows,
        form=form,
        shown=" ".join(row.entry for row in rows),
    )
