"""The page of a camera's health history, and the same as files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from attendance.database.models import Camera, utc_now
from webapp.admin.blueprint import blueprint
from webapp.admin.camera_health.history import PARTS_OF_A_DAY, HistoryStep, Span, read_history
from webapp.admin.lookup import fetch
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.reports.asked import file_addresses
from webapp.reports.charts import Measure, Point, measure_chart, rate_chart
from webapp.tools.languages import number
from webapp.tools.storage import database
from webapp.tools.times import clock_text, short_day_text, today

_WIDTH = 560
"""Of a chart: there are two side by side."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and what it shows."""

    title: str
    picture: Markup
    legend: str
    """What the line is."""
    note: str


@blueprint.get("/cameras/<int:camera_id>/health")
def camera_health(camera_id: int) -> str:
    """How a camera did in the last day, week or term: `?show=`."""
    camera, span = fetch(Camera, camera_id), _asked_span()
    steps = read_history(database(), camera_id, span, utc_now())
    known = [step for step in steps if step.connected or step.frames]
    return render_template(
        "admin/camera_health.html",
        camera=camera,
        span=span,
        spans={Span.DAY: _("24 hours"), Span.WEEK: _("7 days"), Span.TERM: _("18 weeks")},
        steps=known[::-1],
        label=lambda step: _label(step, span, long=True),
        charts=_charts(camera, steps, span) if known else [],
        seconds=_seconds,
        export_addresses=file_addresses("admin.export_camera_health", camera_id=camera_id),
    )


@blueprint.get("/cameras/<int:camera_id>/health.csv", defaults={"form": Form.CSV})
@blueprint.get("/cameras/<int:camera_id>/health.xlsx", defaults={"form": Form.XLSX})
def export_camera_health(camera_id: int, form: Form) -> ResponseReturnValue:
    """The steps of the page as a file, those without anything too."""
    camera, span = fetch(Camera, camera_id), _asked_span()
    sheet = health_sheet(camera, read_history(database(), camera_id, span, utc_now()))
    return answer([sheet], file_name=file_stem(["camera-health", camera.name, span, today().isoformat()]), form=form)


def health_sheet(camera: Camera, steps: Sequence[HistoryStep]) -> Sheet:
    """The steps as a sheet."""
    columns = (
        SheetColumn(_("From"), CellKind.MOMENT),
        SheetColumn(_("Until"), CellKind.MOMENT),
        SheetColumn(_("Minutes connected"), CellKind.WHOLE),
        SheetColumn(_("Connected"), CellKind.SHARE),
        SheetColumn(_("Pictures"), CellKind.WHOLE),
        SheetColumn(_("Clock ahead, seconds, median"), CellKind.NUMBER),
        SheetColumn(_("Clock ahead, seconds, most"), CellKind.NUMBER),
        SheetColumn(_("Brightness"), CellKind.NUMBER),
        SheetColumn(_("Sharpness"), CellKind.NUMBER),
        SheetColumn(_("Faces found"), CellKind.WHOLE),
        SheetColumn(_("A tenth of the faces lower than, pixels"), CellKind.NUMBER),
        SheetColumn(_("Half of the faces lower than, pixels"), CellKind.NUMBER),
        SheetColumn(_("Nine tenths of the faces lower than, pixels"), CellKind.NUMBER),
    )
    rows = [
        (
            step.begins,
            step.ends,
            step.connected,
            step.share,
            step.frames,
            step.median_offset,
            step.most_offset,
            step.mean_brightness,
            step.mean_sharpness,
            step.faces,
            step.height(0.1),
            step.height(0.5),
            step.height(0.9),
        )
        for step in steps
    ]
    return Sheet(camera.name, columns, rows, frozen=1)


def _asked_span() -> Span:
    try:
        return Span(request.args.get("show", Span.DAY))
    except ValueError:
        abort(404)


def _label(step: HistoryStep, span: Span, *, long: bool = False) -> str:
    if span is Span.DAY:
        return clock_text(step.begins)
    day, clock = short_day_text(step.begins), clock_text(step.begins)
    # Below a chart each label is another one, and those of midnight are shown.
    return f"{day}, {clock}" if span is Span.WEEK and (long or clock != "00:00") else day


def _seconds(value: float | None) -> str:
    """By how much a clock is ahead, with its sign."""
    if value is None:
        return "–"  # noqa: RUF001 - as tables have it
    shown = round(value, 2)  # as numbers are written, so that there is no sign before nothing
    sign = "+" if shown > 0 else "−" if shown < 0 else ""  # noqa: RUF001 - as numbers are written
    return _("%(num)s s", num=f"{sign}{number(abs(shown))}")


def _charts(camera: Camera, steps: Sequence[HistoryStep], span: Span) -> list[Chart]:
    labels = [_label(step, span) for step in steps]
    every = PARTS_OF_A_DAY if span is Span.WEEK else None

    def drawn(of: Callable[[HistoryStep], Measure], spoken: Callable[[float], str], **bounds: float | None) -> Markup:
        return measure_chart(labels, [of(step) for step in steps], spoken=spoken, every=every, width=_WIDTH, **bounds)

    def share(step: HistoryStep) -> float | None:
        return step.share if step.connected or step.ends > camera.created_at else None

    def pixels(value: float) -> str:
        return _("%(num)s px", num=number(round(value)))

    return [
        Chart(
            _("Connected"),
            rate_chart(labels, {"main": [Point(share(step)) for step in steps]}, every=every, width=_WIDTH),
            _("Share of the time in which it was connected"),
            _("A camera that stands there and is switched on is connected all the time."),
        ),
        Chart(
            _("Pictures a minute"),
            drawn(lambda step: Measure(step.frames / step.connected if step.connected else None), number, least=0),
            _("Pictures that arrived in a minute in which it was connected"),
            _("Fewer than the camera is set to send: its network or its computer is too slow."),
        ),
        Chart(
            _("Clock"),
            drawn(lambda step: _with_extreme(step.median_offset, step.most_offset), _seconds),
            _("By how much its clock is ahead, in the middle, and at most"),
            _("Beyond a second or two, have the camera's computer set its clock from the network (NTP)."),
        ),
        Chart(
            _("Brightness"),
            drawn(lambda step: Measure(step.mean_brightness), number, least=0, most=255),
            _("Mean of the pictures: 0 is black, 255 is white"),
            _("Measured while a session is on. Rooms with people in them are mostly between 60 and 180."),
        ),
        Chart(
            _("Sharpness"),
            drawn(lambda step: Measure(step.mean_sharpness), number, least=0),
            _("How much neighbouring points differ"),
            _("Compare it with the same camera's other days. Half of what it was: clean the lens, look at its focus."),
        ),
        Chart(
            _("Height of faces"),
            drawn(lambda step: Measure(step.height(0.5), step.height(0.1), step.height(0.9)), pixels, least=0),
            _("Half of the faces are lower; eight in ten lie within the range"),
            _("In pixels of the picture. If it falls, the camera was turned away or set to smaller pictures."),
        ),
    ]


def _with_extreme(middle: float | None, most: float | None) -> Measure:
    if middle is None or most is None:
        return Measure(middle)
    return Measure(middle, min(middle, most), max(middle, most))
