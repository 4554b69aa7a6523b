"""The calendar of days without teaching."""

from datetime import timedelta

import sqlalchemy as sa
from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from wtforms import ValidationError
from wtforms.validators import Optional

from attendance.database.audiences import TAKES_PLACE
from attendance.database.models import AuditAction, ClassSession, TeachingBreak
from attendance.tables.fields import BREAK_NAME
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm, DayField, given, sensible_year, text_field
from webapp.admin.lookup import fetch
from webapp.admin.writing import begin_change
from webapp.tools.storage import database
from webapp.tools.times import day_bounds, start_of_day

_LONGEST = timedelta(days=200)


class BreakForm(AdminForm):
    """Days without teaching."""

    name = text_field(lazy_gettext("Name"), BREAK_NAME)
    first_day = DayField(
        lazy_gettext("First day"), validators=[given(lazy_gettext("Choose the first day.")), sensible_year]
    )
    last_day = DayField(lazy_gettext("Last day"), validators=[Optional(), sensible_year])

    def validate_last_day(self, last_day: DayField) -> None:
        """Not before the first day, and not years later."""
        if last_day.data and self.first_day.data:
            if last_day.data < self.first_day.data:
                raise ValidationError(gettext("The last day is before the first."))
            if last_day.data - self.first_day.data > _LONGEST:
                raise ValidationError(gettext("This is longer than half a year. Is the year right?"))


@blueprint.route("/timetable/breaks", methods=["GET", "POST"])
def breaks() -> ResponseReturnValue:
    """The calendar, and a form for further days."""
    form = BreakForm()
    if form.validate_on_submit():
        db = begin_change()
        row = TeachingBreak(
            name=form.name.data, first_day=form.first_day.data, last_day=form.last_day.data or form.first_day.data
        )
        db.add(row)
        noted(AuditAction.BREAK_ADDED, subject=row.name, details=_days(row))
        db.commit()
        flash(gettext("%(name)s is in the calendar.", name=row.name), "success")
        there = _sessions_in(row)
        if there:
            flash(
                ngettext(
                    "%(num)s session in these days stays as it is: cancel or delete it.",
                    "%(num)s sessions in these days stay as they are: cancel or delete them.",
                    there,
                ),
                "warning",
            )
        return redirect(url_for("admin.breaks"))
    rows = database().scalars(sa.select(TeachingBreak).order_by(TeachingBreak.first_day, TeachingBreak.id)).all()
    page = render_template("admin/breaks.html", form=form, lines=[(row, _sessions_in(row)) for row in rows])
    return page, 422 if form.errors else 200


@blueprint.post("/timetable/breaks/<int:break_id>/delete")
def delete_break(break_id: int) -> ResponseReturnValue:
    """Take days out of the calendar; sessions come with the next import."""
    row = fetch(TeachingBreak, break_id)
    name = row.name
    db = begin_change()
    noted(AuditAction.BREAK_DELETED, subject=name, details=_days(row))
    db.execute(sa.delete(TeachingBreak).where(TeachingBreak.id == break_id))
    db.commit()
    flash(gettext("%(name)s is not in the calendar any more.", name=name), "success")
    return redirect(url_for("admin.breaks"))


def _days(row: TeachingBreak) -> dict[str, str | int]:
    return {"from": row.first_day.isoformat(), "to": row.last_day.isoformat()}


def _sessions_in(row: TeachingBreak) -> int:
    query = sa.select(sa.func.count()).where(
        TAKES_PLACE,
        ClassSession.starts_at >= start_of_day(row.first_day),
        ClassSession.starts_at < day_bounds(row.last_day)[1],
    )
    return database().scalar(query) or 0
