"""The register of a class session: the page, its live stream and its files."""

from collections.abc import Collection, Iterable
from datetime import datetime
from functools import partial
from typing import Any

from flask import Flask, Response, abort, current_app, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session

from attendance.database.conclusions import basis_of
from attendance.database.guests import guests_of
from attendance.database.models import ClassSession, utc_now
from attendance.settings import Settings
from webapp.account.identity import current_account, sign_in_goes_on
from webapp.account.permissions import Permission, needs
from webapp.account.reach import course_shown, courses_seen, reach_session
from webapp.exports.answers import Form, answer, file_stem
from webapp.held.waiting import reason_words
from webapp.register.blueprint import blueprint
from webapp.register.forms import BulkForm
from webapp.register.live import LiveStreams, Watch, watch_register
from webapp.register.register_sheet import register_sheet
from webapp.register.rows import Register, RegisterRow, labels_of, read_register, render_row
from webapp.register.strip import SIGHT_WORDS, read_strip
from webapp.tools.class_sessions.watching import troubles
from webapp.tools.names import NameOrder, family_key, name_key
from webapp.tools.paging import page_of
from webapp.tools.storage import database, release_database, sessions_of
from webapp.tools.times import clock_text, local

_ROWS_A_PAGE = 500
_STREAMS = "attendance_streams"
DISPUTED, HELD = "disputed", "held"
"""In place of a state: the entries that their students call wrong; and those of whom a sighting is held."""


def init_register(app: Flask, *, max_streams: int) -> None:
    """Give the application its places for live streams."""
    app.extensions[_STREAMS] = LiveStreams(max_streams)


def streams_of(app: Flask) -> LiveStreams:
    """The application's places for live streams."""
    streams: LiveStreams = app.extensions[_STREAMS]
    return streams


@blueprint.get("")
@needs(Permission.READ)
def page(session_id: int) -> str:
    """The register; `?q=` and `?state=` narrow it, `?sort=name` and `?sort=family` order it."""
    session = reach_session(session_id)
    return register_page(session, BulkForm(labels=labels_of(session), formdata=None))


def register_page(session: ClassSession, form: FlaskForm, *, chosen: Collection[str] = ()) -> str:
    """The register, narrowed as the address asks.

    Args:
        session: of the register.
        form: for changing several entries; open when it has errors.
        chosen: the entries (`RegisterRow.entry`) that are chosen in it.
    """
    now = utc_now()
    register = read_register(database(), session, now, courses_seen(session))
    search, state = asked_filter()
    rows = _in_order(row for row in register.rows if _matches(row, search, state))
    return render_template(
        "register/register.html",
        session=session,
        course=course_shown(session),
        register=register,
        page=page_of(rows, size=_ROWS_A_PAGE),
        search=search,
        state=state,
        sort=asked_order(),
        usual_sort=_usual_order(),
        form=form,
        chosen=chosen,
        shown=" ".join(row.entry for row in rows),
        **_watch_parts(database(), register, now),
        basis=basis_of(session),
        reason_words=reason_words,
        read_at=_clock(now),
        opens_in_s=(register.opens_at - now).total_seconds(),
        guests=guests_of(database(), session, courses_seen(session)),
        export_addresses={
            form: url_for(
                "register.export",
                session_id=session.id,
                form=form,
                q=search or None,
                state=state or None,
                sort=request.args.get("sort") or None,
            )
            for form in Form
        },
    )


def _watch_parts(db: Session, register: Register, now: datetime) -> dict[str, Any]:
    """What the page shows of the cameras."""
    session = register.session
    return {
        "strip": read_strip(db, register, now),
        "sight_words": SIGHT_WORDS,
        "troubles": troubles(db, [session], now)[session.id],
    }


def _watch_html(db: Session, register: Register) -> str:
    parts = _watch_parts(db, register, utc_now())
    return render_template("register/_watch.html", session=register.session, register=register, **parts)


@blueprint.get("/live")
@needs(Permission.READ)
def live(session_id: int) -> ResponseReturnValue:
    """The register's changes as server-sent events (see `live.py`); 204 when nothing will change any more."""
    session = reach_session(session_id)
    since = request.headers.get("Last-Event-ID") or request.args.get("revision", "")
    register = read_register(database(), session, utc_now(), courses_seen(session))
    if not register.live and register.revision == since:
        return "", 204  # tells the browser to stop asking
    streams, courses, account_id = streams_of(current_app), courses_seen(session), current_account().id
    if streams.stopping.is_set() or not streams.enter(account_id):
        abort(503, gettext("Too many registers are watched live just now."))
    release_database()
    watch = Watch(
        sessions_of(current_app),
        session_id,
        since,
        render_row,
        streams.stopping,
        clock=_clock,
        watched=_watch_html,
        courses=courses,
        allowed=sign_in_goes_on(),
    )
    response = Response(stream_with_context(watch_register(watch)), mimetype="text/event-stream")
    response.call_on_close(partial(streams.leave, account_id))
    response.headers["X-Accel-Buffering"] = "no"  # nginx would collect events before passing them on
    return response


@blueprint.get("/register.csv", defaults={"form": Form.CSV})
@blueprint.get("/register.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.READ)
def export(session_id: int, form: Form) -> ResponseReturnValue:
    """The register as a file, with those not yet seen; `?q=` and `?state=` narrow it as they narrow the page."""
    session = reach_session(session_id)
    register = read_register(database(), session, utc_now(), courses_seen(session))
    search, state = asked_filter()
    rows = _in_order(row for row in register.rows if _matches(row, search, state))
    starts = local(session.starts_at).strftime("%Y-%m-%d-%H%M")
    name = file_stem(["register", course_shown(session).code, starts, search, state])
    return answer([register_sheet(session, rows)], file_name=name, form=form)


def _clock(moment: datetime) -> str:
    return clock_text(moment, seconds=True)


def asked_filter() -> tuple[str, str]:
    """The search and the state that the address asks for, each empty for all."""
    return request.args.get("q", "").strip(), request.args.get("state", "")


def asked_order() -> NameOrder:
    """By which the address wants the register ordered: `?sort=`, else as the institution has it."""
    asked = request.args.get("sort", "")
    return NameOrder(asked if asked in set(NameOrder) else _usual_order())


def _usual_order() -> str:
    settings: Settings = current_app.config["ATTENDANCE"]
    return settings.institution.registers_by


def _in_order(rows: Iterable[RegisterRow]) -> list[RegisterRow]:
    """The rows, which are by name, as the address wants them."""
    listed = list(rows)
    return sorted(listed, key=lambda row: family_key(row.name)) if asked_order() is NameOrder.FAMILY else listed


def _matches(row: RegisterRow, search: str, state: str) -> bool:
    asked = {DISPUTED: row.disputed, HELD: row.held}
    if state and not asked.get(state, state in (row.state, row.status_key)):
        return False
    key = name_key(search)
    return not key or key in name_key(row.name) or key in name_key(row.index_number)
