"""Charts as SVG within a page, drawn by pygal; their colours are those of css/reports.css, light and dark.

A chart is a picture of a table that stands beside it, so it is hidden from screen readers, and holds nothing that the
pages' content security policy forbids: no script, no style.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import pygal
from markupsafe import Markup

from webapp.tools.languages import percent_text

# pygal adds a finder to every later import of the process, for its maps. It is of an old kind, of which Python warns.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

_WIDTH, _HEIGHT = 760, 220
_LABELS_AT_MOST = 12
_MARKS = 5
"""Parts into which a chart is divided from below, at most, or one more."""
_LARGE_DOTS = 30
"""Points of a line; more have smaller dots."""
_SERIES = re.compile(r"\bserie-(\d+)\b")
_SVG = "{http://www.w3.org/2000/svg}"
_WORDLESS = {"style", "script", "desc", "title"}
_ALLOWED_ATTRIBUTES = {"class", "viewBox", "x", "y", "width", "height", "transform", "d", "cx", "cy", "r", "rx", "ry"}


@dataclass(frozen=True, slots=True)
class Point:
    """A share, 0 to 1, and the range that it stands for; None where nothing is known."""

    share: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A value, and the range that it stands for; None where nothing is known."""

    value: float | None
    low: float | None = None
    high: float | None = None


def rate_chart(
    labels: Sequence[str],
    lines: Mapping[str, Sequence[Point]],
    *,
    threshold: int | None = None,
    every: int | None = None,
    width: int = _WIDTH,
) -> Markup:
    """Lines of shares over labels, in percent, each point with its range.

    Args:
        labels: below the chart; when there are many, some are left out.
        lines: by the class that they are drawn with ("main", "second"), each as long as the labels.
        threshold: in percent, drawn as a line of its own ("limit").
        every: how many labels there are for one that is shown; None: as few as fit.
        width: for a narrower place a smaller one, so that its words are not made too small to read.
    """
    chart = _line_chart(
        labels,
        every,
        width=width,
        range=(0, 100),
        y_labels=[0, 25, 50, 75, 100],
        value_formatter=lambda value: percent_text(round(value)),
    )
    for line in lines.values():
        chart.add("", [_measured(_in_percent(point)) for point in line], allow_interruptions=True)
    if threshold is not None:
        chart.add("", [threshold] * len(labels), show_dots=False)
    return _clean(chart.render(is_unicode=True), [*lines, "limit"])


def measure_chart(
    labels: Sequence[str],
    measures: Sequence[Measure],
    *,
    spoken: Callable[[float], str],
    least: float | None = None,
    most: float | None = None,
    every: int | None = None,
    width: int = _WIDTH,
) -> Markup:
    """A line of measures over labels, each with its range.

    Args:
        labels: below the chart; when there are many, some are left out.
        measures: as many.
        spoken: a value in words, on the left of the chart.
        least: where the chart begins below; None: with the least measure.
        most: where it ends above; None: with the largest measure.
        every: as for `rate_chart`.
        width: as for `rate_chart`.
    """
    known = [each for one in measures for each in (one.value, one.low, one.high) if each is not None]
    low = min([*known, 0.0]) if least is None else least
    high = max(known, default=0.0) if most is None else most
    marks = _marks(low, max(high, low + 1))
    if most is not None:
        marks = [mark for mark in marks if mark <= most]
    bounds = marks[0], max(marks[-1], high)
    chart = _line_chart(labels, every, width=width, range=bounds, y_labels=marks, value_formatter=spoken)
    chart.add("", [_measured(one) for one in measures], allow_interruptions=True)
    return _clean(chart.render(is_unicode=True), ["main"])


def _line_chart(labels: Sequence[str], every: int | None, **options: object) -> pygal.Line:
    chart = pygal.Line(
        js=[],
        classes=("chart-svg",),
        height=_HEIGHT,
        show_legend=False,
        show_x_guides=False,
        show_minor_x_labels=False,
        truncate_label=-1,  # otherwise days are cut to what fits if every label were shown
        no_prefix=True,
        margin=8,
        dots_size=3.5 if len(labels) <= _LARGE_DOTS else 2,
        **options,
    )
    chart.x_labels = list(labels)
    every = every or -(-len(labels) // _LABELS_AT_MOST)
    chart.x_labels_major = [label for place, label in enumerate(labels) if place % every == 0]
    return chart


def _marks(low: float, high: float) -> list[float]:
    """Round numbers that divide what lies between, and hold it: multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / _MARKS))
    step = next(times * power for times in (1, 2, 5, 10) if times * power * _MARKS >= high - low)
    return [number * step for number in range(math.floor(low / step), math.ceil(high / step) + 1)]


def _in_percent(point: Point) -> Measure:
    return Measure(*(None if share is None else 100 * share for share in (point.share, point.low, point.high)))


def _measured(one: Measure) -> dict[str, object] | None:
    if one.value is None:
        return None
    value: dict[str, object] = {"value": one.value}
    if one.low is not None and one.high is not None and one.low < one.high:
        value["ci"] = {"low": one.low, "high": one.high}
    return value


def _clean(text: str, names: Sequence[str]) -> Markup:
    """The picture alone: drawn lines, each with its name as a class, and text that stands on it."""
    root = ElementTree.fromstring(text)  # noqa: S314 - pygal made it
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.removeprefix(_SVG) in _WORDLESS:
                parent.remove(child)
    for node in root.iter():
        node.tag = node.tag.removeprefix(_SVG)
        found = _SERIES.search(node.get("class", ""))
        if found:
            node.set("class", f"series {names[int(found[1])]}")
        node.attrib = {name: value for name, value in node.attrib.items() if name in _ALLOWED_ATTRIBUTES}
    root.attrib |= {"aria-hidden": "true", "focusable": "false"}
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704 - pygal escapes what it is given
