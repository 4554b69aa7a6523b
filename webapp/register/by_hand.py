"""Taking a register by hand where the machine has concluded nothing: too little was watched, for example."""

from collections.abc import Collection

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.bulk import WantedEntry, decide_many
from attendance.database.labels import LabelGoneError
from attendance.database.models import ClassSession, Status, utc_now
from attendance.texts import english
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_session, sees_students
from webapp.register.blueprint import blueprint
from webapp.register.bulk import say_done
from webapp.register.forms import ALL_ABSENT, LABEL_GONE, LEAVE, PRESENT_BUT, ByHandForm
from webapp.register.rows import labels_of, read_register
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
    session = reach_session(session_id)
    return _page(session, ByHandForm(labels=labels_of(session), formdata=None))


@blueprint.post("/by-hand")
@needs(Permission.CORRECT)
def take_by_hand(session_id: int) -> ResponseReturnValue:
    """Everybody present but the ticked ones, everybody absent, or left unrecorded; one change that can be undone."""
    session = reach_session(session_id)
    form = ByHandForm(labels=labels_of(session))
    entries, absent = form.entries(), form.absent()
    if entries is None or absent is None or not absent.items() <= entries.items():
        abort(400)
    if not sees_students(session, entries):
        abort(404)
    choice = form.choice.data or ""
    valid = form.validate()
    if (not valid and not form.ticked.errors) or choice not in _REASONS or not entries:
        abort(400)
    if not valid:
        return _page(session, form, ticked=request.form.getlist("absent"))
    ticked = form.ticked_are
    try:
        done = decide_many(
            database(),
            session_id=session_id,
            wanted={
                student: WantedEntry(version, *_decision(choice, ticked if student in absent else None))
                for student, version in entries.items()
            },
            reason=_REASONS[choice],
            account_id=current_account().id,
        )
    except LabelGoneError:
        form.ticked.errors = [LABEL_GONE]
        return _page(session, form, ticked=request.form.getlist("absent"))
    number = len(done.changed)
    left = ngettext("%(num)s entry is left without a status.", "%(num)s entries are left without a status.", number)
    taken = ngettext("%(num)s entry is taken by hand.", "%(num)s entries are taken by hand.", number)
    say_done(session, done, left if choice == LEAVE else taken)
    return redirect(url_for("register.page", session_id=session_id))


def _decision(choice: str, ticked: tuple[Status, int | None] | None) -> tuple[Status | None, int | None]:
    """A student's status and the id of its label; `ticked` is what those are who are ticked, None for the others."""
    if choice == LEAVE:
        return None, None
    if choice == ALL_ABSENT:
        return Status.ABSENT, None
    return ticked or (Status.PRESENT, None)


def _page(session: ClassSession, form: ByHandForm, *, ticked: Collection[str] = ()) -> ResponseReturnValue:
    rows = [row for row in read_register(database(), session, utc_now(), courses_seen(session)).rows if row.by_hand]
    if not rows:
        flash(gettext("Nothing is left to be taken by hand."), "info")
        return redirect(url_for("register.page", session_id=session.id))
    page = render_template(
        "register/by_hand.html",
        session=session,
        course=course_shown(session),
        rows=rows,
        form=form,
        ticked=ticked,
        shown=" ".join(row.entry for row in rows),
    )
    return page, 422 if form.ticked.errors else 200
