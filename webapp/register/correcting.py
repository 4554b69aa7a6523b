"""One student's entry in a register: what is known of it, its history, and correcting it."""

from collections.abc import Sequence
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import joinedload

from attendance.database.corrections import CorrectionError, EntryChangedError, NoEntryError, set_remark
from attendance.database.corrections import correct as correct_entry
from attendance.database.corrections import give_back as give_back_entry
from attendance.database.entries import NO_ENTRY, history_of
from attendance.database.evidence import evidence_of, frames_of
from attendance.database.excused import excuses_for
from attendance.database.held.waiting import held_of_entry
from attendance.database.labels import LabelGoneError
from attendance.database.models import AttendanceChange, ClassSession, utc_now
from attendance.database.requests.disputes import disputes_of_entry
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_session
from webapp.held.waiting import reason_words
from webapp.register.blueprint import blueprint
from webapp.register.forms import AnswerForm, CorrectionForm, EntryForm, RemarkForm
from webapp.register.rows import RegisterRow, labels_of, read_register, read_row, render_row
from webapp.tools.languages import say, say_error
from webapp.tools.requests import safe_path, wants_page
from webapp.tools.storage import database
from webapp.tools.template_tools import STATE_WORDS, STATUS_VALUES

_CONFLICT = 409


@blueprint.get("/students/<int:student_id>")
@needs(Permission.READ)
def entry(session_id: int, student_id: int) -> str:
    """One student's entry: the correction form, the history of changes, and what the cameras saw."""
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    asked = EntryForm(formdata=None, data={"next": request.args.get("next")})
    return entry_page(session, row, _as_it_is(session, row, asked))


@blueprint.post("/students/<int:student_id>")
@needs(Permission.CORRECT)
def correct(session_id: int, student_id: int) -> ResponseReturnValue:
    """Set a status with a reason; from a script, the answer is the new row."""
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    form = CorrectionForm(labels=labels_of(session))
    if not form.validate():
        return entry_page(session, row, form), 422
    status, label_id = form.decided
    try:
        correct_entry(
            database(),
            session_id=session_id,
            student_id=student_id,
            status=status,
            label_id=label_id,
            reason=form.reason.data or "",
            account_id=current_account().id,
            version=form.known_version,
        )
    except LabelGoneError:
        form.label_is_gone()
        return entry_page(session, row, form), 422
    except NoEntryError:  # the student was taken off the roster meanwhile
        abort(404)
    except EntryChangedError:
        return _conflict_page(session, student_id, form)
    return saved(
        session,
        student_id,
        form,
        gettext("%(name)s is now %(status)s.", name=row.name, status=form.word),
    )


@blueprint.post("/students/<int:student_id>/give-back")
@needs(Permission.CORRECT)
def give_back(session_id: int, student_id: int) -> ResponseReturnValue:
    """Let the machine decide an entry again that a person had decided."""
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    form = EntryForm()
    if not form.validate():
        return entry_page(session, row, _as_it_is(session, row, form)), 422
    try:
        give_back_entry(
            database(),
            session_id=session_id,
            student_id=student_id,
            account_id=current_account().id,
            version=form.known_version,
        )
    except NoEntryError:
        abort(404)
    except EntryChangedError:
        return _conflict_page(session, student_id, form)
    except CorrectionError as error:
        abort(400, say_error(error))
    after = read_row(database(), session, student_id, utc_now(), courses_seen(session))
    word = say(STATE_WORDS[after.state]) if after else gettext("No entry")
    return saved(
        session,
        student_id,
        form,
        gettext("%(name)s is given back to the machine: %(status)s.", name=row.name, status=word.lower()),
    )


@blueprint.post("/students/<int:student_id>/remark")
@needs(Permission.CORRECT)
def remark(session_id: int, student_id: int) -> ResponseReturnValue:
    """Write a note beside the status, or take it away."""
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    form = RemarkForm()
    if not form.validate():
        return entry_page(session, row, _as_it_is(session, row, form), remark=form), 422
    try:
        set_remark(
            database(),
            session_id=session_id,
            student_id=student_id,
            remark=form.remark.data or "",
            account_id=current_account().id,
            version=form.known_version,
        )
    except EntryChangedError:
        return _conflict_page(session, student_id, form)
    except NoEntryError as error:
        abort(400, say_error(error))
    done = gettext("The remark is saved.") if form.remark.data else gettext("There is no remark any more.")
    return saved(session, student_id, form, f"{row.name}: {done}")


def _as_it_is(session: ClassSession, row: RegisterRow, form: EntryForm) -> CorrectionForm:
    """The form for correcting the entry as it is now, which leads back to where another form would."""
    status = row.status_key if row.state in STATUS_VALUES else None
    given = {"status": status, "version": str(row.entry_version), "next": safe_path(form.next.data)}
    return CorrectionForm(labels=labels_of(session), formdata=None, data=given)


def reach_row(session: ClassSession, student_id: int) -> RegisterRow:
    """The student's row of the register, or 404."""
    row = read_row(database(), session, student_id, utc_now(), courses_seen(session))
    if row is None:
        abort(404)
    return row


def saved(session: ClassSession, student_id: int, form: EntryForm, message: str) -> ResponseReturnValue:
    """Back to where the person came from; a script gets the new row."""
    if wants_page():
        flash(message, "success")
        return redirect(safe_path(form.next.data) or url_for("register.page", session_id=session.id))
    register = read_register(database(), session, utc_now(), courses_seen(session))
    row = next((row for row in register.rows if row.student_id == student_id), None)
    html = None if row is None else render_row(session, row)
    return jsonify(id=student_id, html=html, counts=dict(register.counts), message=message)


def _conflict_page(session: ClassSession, student_id: int, form: EntryForm) -> ResponseReturnValue:
    """What somebody else did, above the form with what was typed; sent once more, that replaces it."""
    row = reach_row(session, student_id)
    known = form.known_version or NO_ENTRY
    if isinstance(form, RemarkForm):
        form.version.data = str(row.entry_version)
        return entry_page(session, row, _as_it_is(session, row, form), known=known, remark=form), _CONFLICT
    if not isinstance(form, CorrectionForm):
        return entry_page(session, row, _as_it_is(session, row, form), known=known), _CONFLICT
    form.version.data = str(row.entry_version)
    return entry_page(session, row, form, known=known), _CONFLICT


def entry_page(
    session: ClassSession,
    row: RegisterRow,
    form: FlaskForm | None = None,
    *,
    known: int | None = None,
    remark: RemarkForm | None = None,
    answering: AnswerForm | None = None,
) -> str:
    """The entry, with forms of which one may have errors; in a conflict, `known` is the version that was looked at."""
    if form is None:
        form = _as_it_is(session, row, answering or EntryForm(formdata=None))
    if remark is None:
        remark = RemarkForm(formdata=None, data={"remark": row.remark, "version": str(row.entry_version)})
    template = "register/entry.html" if wants_page() else "register/_entry.html"
    disputes = disputes_of_entry(database(), session.id, row.student_id)
    if answering is None and disputes and disputes[0].open:
        given = {"version": str(row.entry_version), "next": form.next.data}
        answering = AnswerForm(formdata=None, data=given).offer(row.state, disputes[0].claimed)
    changes = _changes(session.id, row.student_id)
    others = [] if known is None else [change for change in changes if change.version and change.version > known]
    sightings = [(kept, frames_of(kept)) for kept in evidence_of(database(), session.id, row.student_id)]
    return render_template(
        template,
        session=session,
        course=course_shown(session),
        row=row,
        form=form,
        remark=remark,
        answering=answering,
        disputes=disputes,
        held=held_of_entry(database(), session.id, row.student_id),
        reason_words=reason_words,
        changes=changes,
        sightings=sightings,
        excuses=database().scalars(excuses_for(session, (row.student_id,))).all(),
        conflict=known is not None,
        others=others,
    )


def _changes(session_id: int, student_id: int) -> Sequence[Any]:
    query = history_of(session_id, student_id).options(
        joinedload(AttendanceChange.account),
        joinedload(AttendanceChange.old_label),
        joinedload(AttendanceChange.new_label),
    )
    return database().scalars(query).all()
