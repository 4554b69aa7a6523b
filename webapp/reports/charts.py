"""Charts as SVG within a page, drawn by pygal; their colours are those of css/reports.css, light and dark.

A chart is a picture of a table that stands beside it, so it is hidden from screen readers, and holds nothing that the
pages' content security policy forbids: no script, no style.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import pygal
from markupsafe import Markup

from webapp.tools.languages import percent_text

# pygal adds a finder to every later import of the process, for its maps. It is of an old kind, of which Python warns.
sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, pygal.PluginImportFixer)]

_WIDTH, _HEIGHT = 760, 220
_LABELS_AT_MOST = 12
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


def rate_chart(labels: Sequence[str], lines: Mapping[str, Sequence[Point]], *, threshold: int | None = None) -> Markup:
    """Lines of shares over labels, in percent, each point with its range.

    Args:
        labels: below the chart; when there are many, some are left out.
        lines: by the class that they are drawn with ("main", "second"), each as long as the labels.
        threshold: in percent, drawn as a line of its own ("limit").
    """
    chart = pygal.Line(
        js=[],
        classes=("chart-svg",),
        width=_WIDTH,
        height=_HEIGHT,
        range=(0, 100),
        y_labels=[0, 25, 50, 75, 100],
        value_formatter=lambda value: percent_text(round(value)),
        show_legend=False,
        show_x_guides=False,
        show_minor_x_labels=False,
        truncate_label=-1,  # otherwise days are cut to what fits if every label were shown
        no_prefix=True,
        margin=8,
        dots_size=3.5,
    )
    chart.x_labels = list(labels)
    every = -(-len(labels) // _LABELS_AT_MOST)
    chart.x_labels_major = [label for place, label in enumerate(labels) if place % every == 0]
    for line in lines.values():
        chart.add("", [_value(point) for point in line], allow_interruptions=True)
    if threshold is not None:
        chart.add("", [threshold] * len(labels), show_dots=False)
    return _clean(chart.render(is_unicode=True), [*lines, "limit"])


def _value(point: Point) -> dict[str, object] | None:
    if point.share is None:
        return None
    value: dict[str, object] = {"value": 100 * point.share}
    if point.low is not None and point.high is not None and point.low < point.high:
        value["ci"] = {"low": 100 * point.low, "high": 100 * point.high}
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
