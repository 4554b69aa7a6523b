"""The timetable: sessions, single and weekly."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.audiences import (
    among,
    audiences_of,
    parts,
    rooms_of,
    sessions_in_rooms,
    sessions_of_courses,
)
from attendance.database.models import (
    Camera,
    ClassSession,
    Course,
    Room,
    utc_now,
)
from attendance.database.teaching.breaks import load_breaks
from webapp.admin.blueprint import blueprint
from webapp.admin.lookup import chosen_id, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.session_form import SessionForm, audience_value
from webapp.admin.writing import begin_change
from webapp.changes.errors import ChangeError
from webapp.changes.sessions import add_sessions, change_session, delete_sessions, entries_of, refuse_other_courses
from webapp.tools.class_sessions.planning import Series, plan_series
from webapp.tools.class_sessions.schedule import DEFAULT_MINUTES, Slot, slot_text
from webapp.tools.class_sessions.words import audience_codes, room_names
from webapp.tools.languages import say, say_error
from webapp.tools.paging import paginate
from webapp.tools.storage import database
from webapp.tools.times import day_bounds, local, start_of_day, today, zone

_A_PAGE = 60
_PLACES = {"audiences": "course", "room_ids": "room"}


@blueprint.get("/timetable")
def sessions() -> str:
    """The sessions from a day on, today unless told; `?course=`, `?room=`, `?from=` and `?to=` narrow them."""
    db = database()
    first, last = _day("from") or today(), _day("to")
    course_id, room_id = chosen_id("course"), chosen_id("room")
    query = sa.select(ClassSession).options(*parts()).where(*during(first, last))
    if course_id is not None:
        theirs = sessions_of_courses(among([course_id]), *during(first, last))
        query = query.join(theirs, theirs.c.session_id == ClassSession.id)
    if room_id is not None:
        there = sessions_in_rooms(among([room_id]), *during(first, last))
        query = query.join(there, there.c.session_id == ClassSession.id)
    page = paginate(db, query.order_by(ClassSession.starts_at, ClassSession.id), size=_A_PAGE)
    days = [(day, list(items)) for day, items in groupby(page.items, key=lambda item: local(item.starts_at).date())]
    watched = watched_rooms(db)
    return render_template(
        "admin/timetable.html",
        page=page,
        days=days,
        first=first,
        last=last,
        course_id=course_id,
        room_id=room_id,
        courses=db.execute(sa.select(Course.id, Course.code, Course.name).order_by(Course.code)).all(),
        rooms=db.execute(sa.select(Room.id, Room.name).order_by(Room.name)).all(),
        unwatched={item.id for item in page.items if not watched.issuperset(rooms_of(item))},
        breaks=load_breaks(db),
        now=utc_now(),
        zone_name=zone().key,
        narrowed=any(request.args.get(name) for name in ("course", "room", "from", "to")),
    )


def during(first: date, last: date | None) -> list[sa.ColumnElement[bool]]:
    """The conditions on sessions that take place from one day to another, at the institution."""
    conditions = [ClassSession.ends_at > start_of_day(first)]
    return conditions if last is None else [*conditions, ClassSession.starts_at < day_bounds(last)[1]]


@blueprint.route("/timetable/new", methods=["GET", "POST"])
def new_session() -> ResponseReturnValue:
    """Add a session, or one a week until a day."""
    form = SessionForm(data=_suggested()).offer_choices()
    series = Series()
    if form.validate_on_submit():
        db = begin_change()
        series = plan_series(db, form.times(), form.room_ids(), zone())
        wanted = bool(series.slots) and (not series.problems or bool(form.leave_out.data))
        if wanted and _written(db, form, lambda: add_sessions(db, series.slots, form.values(series.slots[0]))):
            return _after_adding(form, series)
        db.rollback()
    failed = bool(form.errors or series.problems)
    return render_template("admin/session_form.html", form=form, session=None, series=series), 422 if failed else 200


@blueprint.route("/timetable/<int:session_id>", methods=["GET", "POST"])
def session(session_id: int) -> ResponseReturnValue:
    """Change a session; the register follows its new times."""
    session, db = fetch(ClassSession, session_id), database()
    entries = entries_of(db, [session_id])
    form = SessionForm(data=_present(session)).offer_choices()
    series = Series()
    if form.validate_on_submit():
        begin_change()
        if _written(db, form, lambda: refuse_other_courses(db, session, form.audiences()), commit=False):
            series = plan_series(db, form.times(weekly=False), form.room_ids(), zone(), moving=session)
            planned = bool(series.slots) and not series.problems
            if planned and _written(db, form, lambda: _change(db, session, form, series.slots[0])):
                flash(_moved_text(entries), "success")
                for text in series.notes:
                    flash(text, "info")
                return redirect(_list_from(local(session.starts_at).date()))
        db.rollback()
    failed = bool(form.errors or series.problems)
    page = render_template(
        "admin/session_form.html",
        form=form,
        session=session,
        series=series,
        entries=entries,
        following=len(_following(db, session)),
    )
    return page, 422 if failed else 200


@blueprint.route("/timetable/<int:session_id>/delete", methods=["GET", "POST"])
def delete_session(session_id: int) -> ResponseReturnValue:
    """Delete a session; with `?following=1`, also those at the same time of the later weeks."""
    session, db = fetch(ClassSession, session_id), database()
    following = _following(db, session)
    chosen = [session, *following] if request.args.get("following") else [session]
    entries = entries_of(db, [each.id for each in chosen])
    name = f"{audience_codes(session)}, {say(slot_text(Slot(session.starts_at, session.ends_at), zone()))}"
    back = url_for("admin.session", session_id=session_id)
    consequences = [
        ngettext(
            "%(num)s session in %(rooms)s will be deleted.",
            "%(num)s sessions in %(rooms)s will be deleted.",
            len(chosen),
            rooms=room_names(session),
        )
    ]
    if entries:
        consequences.append(
            ngettext(
                "%(num)s entry of registers, with its history, is deleted.",
                "%(num)s entries of registers, with their history, are deleted.",
                entries,
            )
        )
    title = (
        gettext("Delete %(name)s?", name=name)
        if len(chosen) == 1
        else gettext("Delete %(name)s, and %(count)s later weeks?", name=name, count=len(chosen) - 1)
    )
    answer = ask(
        Question(
            title=title,
            consequences=consequences,
            button=gettext("Delete the session")
            if len(chosen) == 1
            else gettext("Delete %(count)s sessions", count=len(chosen)),
            back=back,
            crumbs=[(gettext("Timetable"), url_for("admin.sessions")), (name, back)],
            must_type=session.course.code if entries else None,
        )
    )
    if answer is not None:
        return answer
    ids, first_course = [each.id for each in chosen], session.course_id
    db = begin_change()
    delete_sessions(db, chosen)
    db.commit()
    flash(
        gettext("%(name)s is deleted.", name=name)
        if len(ids) == 1
        else gettext("%(count)s sessions are deleted.", count=len(ids)),
        "success",
    )
    return redirect(url_for("admin.sessions", course=first_course))


def watched_rooms(db: Session) -> set[int]:
    """The rooms in which a camera stands that the service lets in."""
    query = sa.select(Camera.room_id).where(Camera.room_id.is_not(None), Camera.token_hash.is_not(None))
    return {room_id for room_id in db.scalars(query) if room_id is not None}


def _day(name: str) -> date | None:
    try:
        day = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return day if 1970 <= day.year < 2200 else None  # days next to it exist in every zone


def _list_from(day: date, **narrowing: Any) -> str:
    return url_for("admin.sessions", **narrowing, **{"from": day.isoformat()})  # type: ignore[arg-type]


def _suggested() -> dict[str, Any]:
    """What an empty form starts with: what the address names, and the usual minutes."""
    return {
        "course": str(chosen_id("course") or ""),
        "room": str(chosen_id("room") or ""),
        "day": _day("day"),
        "early_minutes": DEFAULT_MINUTES,
        "grace_minutes": DEFAULT_MINUTES,
    }


def _present(session: ClassSession) -> dict[str, Any]:
    start, end = local(session.starts_at), local(session.ends_at)
    first, *further = (audience_value(audience) for audience in audiences_of(session))
    room, *rooms = (str(room_id) for room_id in rooms_of(session))
    return {
        "course": first,
        "also_for": further,
        "room": room,
        "also_in": rooms,
        "day": start.date(),
        "start": start.time(),
        "end": end.time(),
        "early_minutes": session.early_minutes,
        "grace_minutes": session.grace_minutes,
    }


def _written(db: Session, form: SessionForm, change: Callable[[], object], *, commit: bool = True) -> bool:
    """Whether a change is made; one that is refused is undone, and the form says why."""
    try:
        change()
    except ChangeError as error:
        db.rollback()
        form[_PLACES[error.field]].errors = [say_error(error)]
        return False
    if commit:
        db.commit()
    return True


def _change(db: Session, session: ClassSession, form: SessionForm, slot: Slot) -> None:
    change_session(db, session, replace(form.values(slot), note=session.note))


def _moved_text(entries: int) -> str:
    if not entries:
        return gettext("The session is saved.")
    return gettext("The session is saved, and its register was worked out again. What a person decided is kept.")


def _after_adding(form: SessionForm, series: Series) -> ResponseReturnValue:
    first = local(series.slots[0].starts_at).date()
    count = len(series.slots)
    if count == 1:
        flash(gettext("The session on %(first)s is added.", first=first), "success")
    else:
        last = local(series.slots[-1].starts_at).date()
        flash(
            gettext(
                "%(count)s sessions are added, from %(first)s to %(last)s.",
                count=count,
                first=first,
                last=last,
            ),
            "success",
        )
    for text in series.notes:
        flash(text, "info")
    return redirect(_list_from(first, course=form.audiences()[0].course_id))


def _following(db: Session, session: ClassSession) -> Sequence[ClassSession]:
    """The later sessions of the course in the room on the same weekday at the same local time."""
    start, end = local(session.starts_at), local(session.ends_at)
    query = sa.select(ClassSession).where(
        ClassSession.course_id == session.course_id,
        ClassSession.room_id == session.room_id,
        ClassSession.starts_at > session.starts_at,
        ClassSession.starts_at < session.starts_at + timedelta(weeks=61),
    )
    return [
        later
        for later in db.scalars(query.order_by(ClassSession.starts_at))
        if (local(later.starts_at).weekday(), local(later.starts_at).time(), local(later.ends_at).time())
        == (start.weekday(), start.time(), end.time())
    ]
