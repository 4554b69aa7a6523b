"""The register of a class session: the page, its live stream, its CSV, and correcting an entry."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    current_app,
    flash,
    get_template_attribute,
    jsonify,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from sqlalchemy.orm import joinedload
from wtforms import HiddenField, RadioField, TextAreaField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined] # newer than its types
from wtforms.validators import AnyOf, DataRequired, Length

from attendance.database.evidence import evidence_of, frames_of
from attendance.database.models import Attendance, AttendanceChange, ClassSession, Status, utc_now
from attendance.database.register import NoEntryError
from attendance.database.register import correct as correct_register
from attendance.tables.fields import CORRECTION_REASON
from webapp.account.identity import current_lecturer
from webapp.account.reach import reach_session
from webapp.register.live import LiveStreams, Watch, watch_register
from webapp.register.rows import RegisterRow, read_register, read_row
from webapp.tools.fields import Fits, cleaned
from webapp.tools.names import name_key
from webapp.tools.paging import Page, page_number
from webapp.tools.requests import safe_path, wants_page
from webapp.tools.spreadsheet import csv_lines, csv_response, file_name
from webapp.tools.storage import database, release_database, sessions_of
from webapp.tools.template_tools import STATE_WORDS, STATUS_VALUES, percent, source_word
from webapp.tools.times import clock_text, local

blueprint = Blueprint("register", __name__, url_prefix="/sessions/<int:session_id>")

_ROWS_A_PAGE = 500
_STREAMS = "attendance_streams"


class CorrectionForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A status and why."""

    status = RadioField(
        "Status",
        choices=[SelectChoice(status.value, STATE_WORDS[status.value]) for status in Status],
        validate_choice=False,
        validators=[AnyOf(STATUS_VALUES, "Choose a status.")],
    )
    reason = TextAreaField(
        "Reason",
        filters=[cleaned(CORRECTION_REASON)],
        validators=[
            DataRequired("Say why, so that it can be understood later."),
            Length(max=CORRECTION_REASON.longest, message=f"At most {CORRECTION_REASON.longest} characters."),
            Fits(CORRECTION_REASON, "This has characters that cannot be shown. Type it again."),
        ],
    )
    next = HiddenField()


def init_register(app: Flask, *, max_streams: int) -> None:
    """Give the application its places for live streams."""
    app.extensions[_STREAMS] = LiveStreams(max_streams)


def streams_of(app: Flask) -> LiveStreams:
    """The application's places for live streams."""
    streams: LiveStreams = app.extensions[_STREAMS]
    return streams


@blueprint.get("")
def page(session_id: int) -> str:
    """The register; `?q=` and `?state=` narrow it, for those without JavaScript and for very long ones."""
    session = reach_session(session_id)
    register = read_register(database(), session, utc_now())
    search, state = request.args.get("q", "").strip(), request.args.get("state", "")
    rows = [row for row in register.rows if _matches(row, search, state)]
    number = page_number()
    shown = rows[(number - 1) * _ROWS_A_PAGE : number * _ROWS_A_PAGE]
    return render_template(
        "register/register.html",
        session=session,
        register=register,
        page=Page(shown, number, _ROWS_A_PAGE, len(rows)),
        search=search,
        state=state,
    )


@blueprint.get("/live")
def live(session_id: int) -> ResponseReturnValue:
    """The register's changes as server-sent events (see `live.py`); 204 when nothing will change any more."""
    session = reach_session(session_id)
    since = request.headers.get("Last-Event-ID") or request.args.get("revision", "")
    register = read_register(database(), session, utc_now())
    if not register.live and register.revision == since:
        return "", 204  # tells the browser to stop asking
    streams = streams_of(current_app)
    if streams.stopping.is_set() or not streams.enter():
        abort(503, "Too many registers are watched live just now.")
    release_database()
    watch = Watch(sessions_of(current_app), session_id, since, render_row, streams.stopping)
    response = Response(stream_with_context(watch_register(watch)), mimetype="text/event-stream")
    response.call_on_close(streams.leave)
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect events before passing them on
    return response


@blueprint.get("/register.csv")
def export(session_id: int) -> ResponseReturnValue:
    """The whole register as CSV, with those not yet seen."""
    session = reach_session(session_id)
    register = read_register(database(), session, utc_now())
    starts = local(session.starts_at)
    name = file_name(["register", session.course.code, starts.strftime("%Y-%m-%d-%H%M")])
    header = ["Index number", "Student", "Status", "Source", "First seen", "Last seen", "Confidence", "Changed by"]
    text = "".join(csv_lines(header, (_cells(row) for row in register.rows)))
    return csv_response(iter([text]), name)


@blueprint.get("/students/<int:student_id>")
def entry(session_id: int, student_id: int) -> str:
    """One student's entry: the correction form, the history of changes, and what the cameras saw."""
    session = reach_session(session_id)
    row = _reach_row(session, student_id)
    status = row.state if row.state in STATUS_VALUES else None
    form = CorrectionForm(formdata=None, data={"status": status, "next": safe_path(request.args.get("next"))})
    return _entry_page(session, row, form)


@blueprint.post("/students/<int:student_id>")
def correct(session_id: int, student_id: int) -> ResponseReturnValue:
    """Set a status with a reason; from a script, the answer is the new row."""
    session = reach_session(session_id)
    row = _reach_row(session, student_id)
    form = CorrectionForm()
    if not form.validate():
        return _entry_page(session, row, form), 422
    try:
        correct_register(
            database(),
            session_id=session_id,
            student_id=student_id,
            status=Status(form.status.data),
            reason=form.reason.data or "",
            lecturer_id=current_lecturer().id,
        )
    except NoEntryError:  # the student was taken off the roster meanwhile
        abort(404)
    message = f"{row.name} is now {STATE_WORDS[form.status.data].lower()}."
    if wants_page():
        flash(message, "success")
        return redirect(safe_path(form.next.data) or url_for("register.page", session_id=session_id))
    register = read_register(database(), session, utc_now())
    row = next(row for row in register.rows if row.student_id == student_id)
    return jsonify(id=student_id, html=render_row(session, row), counts=dict(register.counts), message=message)


def render_row(session: ClassSession, row: RegisterRow) -> str:
    """A row of the register as HTML."""
    html: str = get_template_attribute("register/_row.html", "register_row")(session, row)
    return html


def _reach_row(session: ClassSession, student_id: int) -> RegisterRow:
    row = read_row(database(), session, student_id, utc_now())
    if row is None:
        abort(404)
    return row


def _entry_page(session: ClassSession, row: RegisterRow, form: FlaskForm) -> str:
    template = "register/entry.html" if wants_page() else "register/_entry.html"
    changes = _changes(session.id, row.student_id)
    sightings = [(kept, frames_of(kept)) for kept in evidence_of(database(), session.id, row.student_id)]
    return render_template(template, session=session, row=row, form=form, changes=changes, sightings=sightings)


def _changes(session_id: int, student_id: int) -> Sequence[Any]:
    query = (
        sa.select(AttendanceChange)
        .join(AttendanceChange.attendance)
        .options(joinedload(AttendanceChange.lecturer))
        .where(Attendance.session_id == session_id, Attendance.student_id == student_id)
        .order_by(AttendanceChange.id.desc())
    )
    return database().scalars(query).all()


def _matches(row: RegisterRow, search: str, state: str) -> bool:
    if state and row.state != state:
        return False
    key = name_key(search)
    return not key or key in name_key(row.name) or key in name_key(row.index_number)


def _cells(row: RegisterRow) -> list[str]:
    return [
        row.index_number,
        row.name,
        STATE_WORDS[row.state],
        source_word(row),
        clock_text(row.first_seen, seconds=True) if row.first_seen else "",
        clock_text(row.last_seen, seconds=True) if row.last_seen else "",
        percent(row.confidence) if row.confidence is not None else "",
        row.changed_by or "",
    ]
