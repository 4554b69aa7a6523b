"""Administration of calendars: where the timetable is read from, what would change, and letting it."""

from datetime import datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import joinedload, undefer

from attendance.database.models import AuditAction, TimetableCalendar, utc_now
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.account.permissions import Permission, needs
from webapp.admin.importing.runs import ApplyForm
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change, committed, taken
from webapp.calendars.forms import CalendarForm, FileForm, form_of
from webapp.calendars.ics.text import MAX_BYTES, CalendarError
from webapp.calendars.running import keep, read_calendar, run_calendar, waiting_data, write_calendar
from webapp.imports.report import Report
from webapp.tools.languages import say_error
from webapp.tools.storage import database
from webapp.tools.times import zone
from webapp.tools.uploads import upload_limit

blueprint = needs(Permission.ADMINISTER)(Blueprint("calendars", __name__))

_TAKEN = lazy_gettext("Another calendar has this name.")
_ROOM_FOR_FORM = 100_000


@blueprint.get("")
def index() -> str:
    """The calendars."""
    query = sa.select(TimetableCalendar).options(joinedload(TimetableCalendar.course), undefer(TimetableCalendar.url))
    calendars = database().scalars(query.order_by(TimetableCalendar.name)).all()
    return render_template("calendars/index.html", calendars=calendars, host_of=_host_of)


@blueprint.route("/new", methods=["GET", "POST"])
def new_calendar() -> ResponseReturnValue:
    """Add a calendar."""
    form = form_of(None)
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, TimetableCalendar.name, _TAKEN, but=None):
            calendar = TimetableCalendar(**form.values(None))
            calendar.next_fetch_at = utc_now() if calendar.url else None
            db.add(calendar)
            noted(AuditAction.CALENDAR_ADDED, subject=calendar.name)
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(name)s is added.", name=calendar.name), "success")
                return redirect(url_for("calendars.calendar", calendar_id=calendar.id))
        db.rollback()
    return render_template("calendars/form.html", form=form, calendar=None), 422 if form.errors else 200


@blueprint.get("/<int:calendar_id>")
def calendar(calendar_id: int) -> str:
    """A calendar: how it fares, what it would change, or did."""
    return _page(_fetch(calendar_id), ApplyForm(formdata=None), FileForm(formdata=None))


@blueprint.route("/<int:calendar_id>/edit", methods=["GET", "POST"])
def edit_calendar(calendar_id: int) -> ResponseReturnValue:
    """Change what a calendar is called, where it lies, and for which term it counts."""
    found = _fetch(calendar_id)
    form = form_of(found)
    if form.validate_on_submit():
        db = begin_change()
        if not taken(form.name, TimetableCalendar.name, _TAKEN, but=calendar_id):
            _change(found, form)
            if committed(db, form.name, _TAKEN):
                flash(gettext("%(name)s is saved.", name=found.name), "success")
                return redirect(url_for("calendars.calendar", calendar_id=calendar_id))
        db.rollback()
    return render_template("calendars/form.html", form=form, calendar=found, host=_host_of(found)), (
        422 if form.errors else 200
    )


@blueprint.post("/<int:calendar_id>/file")
@upload_limit(MAX_BYTES + _ROOM_FOR_FORM)
def upload(calendar_id: int) -> ResponseReturnValue:
    """Try a file: nothing is written but what it would change."""
    found, form = _fetch(calendar_id), FileForm()
    if not form.validate():
        return _page(found, ApplyForm(formdata=None), form), 422
    data = form.file.data.read(MAX_BYTES + 1)
    try:
        read = read_calendar(found, data, zone())
    except CalendarError as error:
        form.file.errors = [say_error(error)]
        return _page(found, ApplyForm(formdata=None), form), 422
    tried = run_calendar(database(), found, read, zone(), apply=False)
    keep(database(), found, data, tried, now=utc_now())
    return redirect(url_for("calendars.calendar", calendar_id=calendar_id))


@blueprint.post("/<int:calendar_id>/apply")
def apply(calendar_id: int) -> ResponseReturnValue:
    """Let the timetable follow what waits; what is asked needs a person's word."""
    found, form = _fetch(calendar_id), ApplyForm()
    data = waiting_data(database(), calendar_id)
    if data is None:
        flash(gettext("Nothing waits any more."), "info")
        return redirect(url_for("calendars.calendar", calendar_id=calendar_id))
    try:
        read = read_calendar(found, data, zone())
    except CalendarError as error:  # the term was changed since
        flash(say_error(error), "error")
        return redirect(url_for("calendars.calendar", calendar_id=calendar_id))
    fresh = run_calendar(database(), found, read, zone(), apply=False)
    if not form.answers([fresh.report]):
        keep(database(), found, data, fresh, now=utc_now())
        return _page(_fetch(calendar_id), form, FileForm(formdata=None)), 422
    done = write_calendar(database(), found, read, zone(), actor=current_account().id, now=utc_now())
    said = gettext("The timetable follows the calendar: %(sessions)s sessions added.", sessions=done.report.records)
    flash(said, "success")
    return redirect(url_for("calendars.calendar", calendar_id=calendar_id))


@blueprint.post("/<int:calendar_id>/fetch")
def fetch_now(calendar_id: int) -> ResponseReturnValue:
    """Let a worker fetch it now."""
    found = _fetch(calendar_id)
    if found.url is None:
        abort(404)
    db = begin_change()
    found.next_fetch_at, found.entity_tag = utc_now(), None
    db.commit()
    flash(gettext("It is fetched within a minute."), "success")
    return redirect(url_for("calendars.calendar", calendar_id=calendar_id))


@blueprint.route("/<int:calendar_id>/delete", methods=["GET", "POST"])
def delete_calendar(calendar_id: int) -> ResponseReturnValue:
    """Delete a calendar; its sessions stay."""
    found = _fetch(calendar_id)
    back = url_for("calendars.calendar", calendar_id=calendar_id)
    question = Question(
        title=gettext("Delete %(name)s?", name=found.name),
        consequences=[gettext("It is not read any more. Sessions that came from it stay as they are.")],
        button=gettext("Delete the calendar"),
        back=back,
        crumbs=[(gettext("Calendars"), url_for("calendars.index")), (found.name, back)],
    )
    answer = ask(question)
    if answer is not None:
        return answer
    db = begin_change()
    db.execute(sa.delete(TimetableCalendar).where(TimetableCalendar.id == calendar_id))
    noted(AuditAction.CALENDAR_DELETED, subject=found.name)
    db.commit()
    flash(gettext("%(name)s is deleted.", name=found.name), "success")
    return redirect(url_for("calendars.index"))


def _fetch(calendar_id: int) -> TimetableCalendar:
    fetch(TimetableCalendar, calendar_id)
    options = (undefer(TimetableCalendar.url), undefer(TimetableCalendar.report))
    return database().get_one(TimetableCalendar, calendar_id, options=options, populate_existing=True)


def _change(found: TimetableCalendar, form: CalendarForm) -> None:
    values = form.values(found.url)
    changed = [name for name, value in values.items() if getattr(found, name) != value]
    for name, value in values.items():
        setattr(found, name, value)
    if changed != ["name"]:
        found.next_fetch_at, found.entity_tag = (utc_now() if found.url else None), None
    noted(AuditAction.CALENDAR_CHANGED, subject=found.name, details={"fields": ", ".join(changed)})


def _page(found: TimetableCalendar, apply_form: ApplyForm, file_form: FileForm) -> str:
    report = Report.from_json(found.report) if found.report is not None else None
    return render_template(
        "calendars/calendar.html",
        calendar=found,
        host=_host_of(found),
        report=report,
        form=apply_form,
        file_form=file_form,
        stalled=_is_stalled(found, utc_now()),
        megabytes=MAX_BYTES // 1_000_000,
    )


def _host_of(found: TimetableCalendar) -> str:
    """Where a calendar lies; the rest of its address may be a secret."""
    return (urlsplit(found.url).hostname or "") if found.url else ""


def _is_stalled(found: TimetableCalendar, now: datetime) -> bool:
    """Whether it is due since long, so that no worker runs."""
    return found.next_fetch_at is not None and (now - found.next_fetch_at).total_seconds() > 600
