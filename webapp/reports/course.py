"""The report of a course: its weeks, and the map of its sessions."""

from collections.abc import Sequence

from flask import render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup
from sqlalchemy.orm import Session

from attendance.database.audiences import among
from attendance.database.models import Course, utc_now
from attendance.database.thresholds import threshold_of
from webapp.account.permissions import Permission, needs
from webapp.account.reach import reach_course
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.records.tallies import Tally, count_below, roster_sizes, tally_sessions, total
from webapp.reports.asked import file_addresses
from webapp.reports.blueprint import blueprint
from webapp.reports.charts import Point, rate_chart
from webapp.reports.course_marks import sessions_so_far
from webapp.reports.period import Period, asked_period
from webapp.reports.weeks import Week, by_week, heat_map
from webapp.tools.storage import database
from webapp.tools.times import short_day_text, today


@blueprint.get("/courses/<int:course_id>/report")
@needs(Permission.TERM)
def course(course_id: int) -> str:
    """How a course goes: the rate a week with its range, each session's rate by day and time; of a time if asked."""
    db, found, period = database(), reach_course(course_id), asked_period()
    weeks, overall = _weeks(db, found, period)
    threshold = threshold_of(db, found)
    return render_template(
        "reports/course.html",
        course=found,
        roster=roster_sizes(db, [course_id])[course_id],
        sessions=sum(len(week.sessions) for week in weeks),
        overall=overall,
        below=count_below(db, {course_id: threshold}, period.conditions)[course_id],
        period=period,
        threshold=threshold,
        weeks=weeks,
        slots=heat_map(weeks),
        chart=weeks_chart(weeks, threshold) if overall.rate is not None else None,
        export_addresses=file_addresses("reports.export_course", course_id=course_id),
    )


@blueprint.get("/courses/<int:course_id>/report.csv", defaults={"form": Form.CSV})
@blueprint.get("/courses/<int:course_id>/report.xlsx", defaults={"form": Form.XLSX})
@needs(Permission.TERM)
def export_course(course_id: int, form: Form) -> ResponseReturnValue:
    """The weeks of the report."""
    db, found, period = database(), reach_course(course_id), asked_period()
    words = ["weeks", found.code, today().isoformat(), *period.file_words()]
    return answer([weeks_sheet(found, _weeks(db, found, period)[0])], file_name=file_stem(words), form=form)


def weeks_sheet(course: Course, weeks: Sequence[Week]) -> Sheet:
    """The weeks as a sheet."""
    columns = (
        SheetColumn(_("Week from"), CellKind.DAY),
        SheetColumn(_("Rate"), CellKind.SHARE),
        SheetColumn(_("Lowest session"), CellKind.SHARE),
        SheetColumn(_("Highest session"), CellKind.SHARE),
        SheetColumn(_("Sessions"), CellKind.WHOLE),
    )
    rows = [(week.monday, week.tally.rate, week.lowest, week.highest, len(week.sessions)) for week in weeks]
    return Sheet(course.code, columns, rows)


def _weeks(db: Session, course: Course, period: Period) -> tuple[list[Week], Tally]:
    """The weeks of a course so far, in a time, and all of them together."""
    sessions = sessions_so_far(db, course.id, utc_now(), period.conditions)
    tallies = tally_sessions(db, [session.id for session in sessions], among([course.id]))
    return by_week(sessions, tallies), total(tallies.values())


def weeks_chart(weeks: Sequence[Week], threshold: int) -> Markup:
    """The rate of each week, with the lowest and the highest of its sessions."""
    points = [Point(week.tally.rate, week.lowest, week.highest) for week in weeks]
    return rate_chart([short_day_text(week.monday) for week in weeks], {"main": points}, threshold=threshold)
