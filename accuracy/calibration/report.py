"""The report of a calibration: a page that needs nothing beside it, charts as PNG and SVG, the figures as JSON."""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from accuracy.calibration.calibrating import Calibration
from accuracy.calibration.pairs import EDGES
from accuracy.calibration.text import (
    TextTable,
    caveats,
    choice_lines,
    correction_lines,
    group_lines,
    group_tables,
    rate_table,
    summary,
)
from accuracy.statistics.plots import Curve, Distribution, render_det, render_histograms
from accuracy.statistics.rates import Interval
from attendance.gallery.files import make_private_folder, replace_durably

PAGE, FIGURES = "calibration.html", "calibration.json"
_STYLE = Path(__file__).with_suffix(".css")


def write_calibration(folder: Path, found: Calibration, *, institution: str, zone: ZoneInfo) -> Path:
    """Write the page, the figures and the charts, for this account only. They hold no photo, name or encoding.

    Args:
        folder: made if it is missing; files of an earlier report are replaced.
        found: what to report.
        institution: shown at the top.
        zone: for the time shown.

    Returns:
        The page.

    Raises:
        OSError: the disk refuses.
    """
    make_private_folder(folder)
    made_at = datetime.now(UTC).astimezone(zone)
    charts = draw_charts(found)
    for name, data in charts.items():
        replace_durably((folder / name).absolute(), data)
    figures = json.dumps(as_json(found, made_at), indent=2, ensure_ascii=False, allow_nan=False)
    replace_durably((folder / FIGURES).absolute(), figures.encode("utf-8", errors="replace"))
    page = render_page(found, charts, institution=institution, made_at=made_at)
    replace_durably((folder / PAGE).absolute(), page.encode("utf-8", errors="replace"))
    return folder / PAGE


def draw_charts(found: Calibration) -> dict[str, bytes]:
    """The charts' files by name."""
    marked = {f"{choice.setting} {choice.threshold:g}": choice.threshold for choice in found.choices}
    lines = {choice.setting: choice.threshold for choice in found.choices}
    rates = found.comparisons.rates
    points = np.append(EDGES, np.inf)
    counts = np.diff(found.comparisons.matches.sum(axis=0, dtype=np.int64), prepend=0)
    distributions = [
        Distribution("genuine", found.comparisons.genuine),
        # A step's middle, so that it does not fall on the edge between two bars.
        Distribution("impostor", points[:-1] - EDGES[0] / 2, counts),
    ]
    if found.corrected is not None and found.corrected.enough:
        distributions.append(Distribution("confirmed in class", found.corrected.genuine))
        distributions.append(Distribution("undone by a lecturer", found.corrected.false))
    charts = {
        "det": render_det(Curve("one photo with one student", rates.det_points(), marked)),
        "distances": render_histograms(*distributions, thresholds=lines),
    }
    return {f"{name}.{kind}": data for name, files in charts.items() for kind, data in files.items()}


def as_json(found: Calibration, made_at: datetime) -> dict[str, Any]:
    """All figures by name; null for what is unknown."""
    return {
        "made_at": made_at.isoformat(),
        "model": found.model,
        "people": len(found.comparisons.people),
        "people_in_gallery": found.comparisons.people_in_gallery,
        "impostor_pairs": found.comparisons.pairs,
        "genuine_comparisons": len(found.comparisons.genuine),
        "wanted": {
            "false_entry_rate": found.wanted.rate,
            "roster": found.wanted.roster,
            "strangers": found.wanted.strangers,
            "margin": found.wanted.margin,
        },
        "choices": [
            {
                "setting": f"matching.{choice.setting}",
                "threshold": choice.threshold,
                "measured": choice.measured,
                "comparisons_a_session": choice.trials,
                "needed_fmr": choice.needed,
                "fmr_upper_limit": choice.false_match_limit,
                "remarks": list(choice.remarks),
            }
            for choice in found.choices
        ],
        "rates": [
            {"threshold": row.threshold, "fmr": _interval(row.false_match), "fnmr": _interval(row.false_non_match)}
            for row in found.rows()
        ],
        "groups": _groups(found),
    }


def _groups(found: Calibration) -> list[dict[str, Any]]:
    if found.groups is None:
        return []
    return [
        {
            "threshold": threshold,
            "group": group.group,
            "people": group.people,
            "fmr_within": _interval(group.false_match),
            "fnmr": _interval(group.false_non_match),
            "flagged": group.flagged,
            "remarks": list(group.remarks),
        }
        for threshold, groups in found.groups.groups.items()
        for group in groups
    ]


def _interval(interval: Interval) -> dict[str, float] | None:
    return None if math.isnan(interval.rate) else interval._asdict()


def render_page(found: Calibration, charts: Mapping[str, bytes], *, institution: str, made_at: datetime) -> str:
    """The page's HTML; see `write_calibration`."""
    style = _STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    # Whatever a group is called, nothing but this style is used, and nothing is fetched.
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    chosen = "".join(
        f"<h3>{escape(first)}</h3>{_paragraphs(rest)}"
        for first, *rest in (list(choice_lines(choice, found.in_use[choice.setting])) for choice in found.choices)
    )
    groups = "".join(_table(table) for table in group_tables(found)) + _paragraphs(group_lines(found))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Calibration, {made_at:%Y-%m-%d %H:%M}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Calibration of the thresholds</h1>
<p>{escape(institution)}, <time datetime="{made_at.isoformat()}">{made_at:%Y-%m-%d %H:%M %Z}</time></p>
</header>
<main>
<section><h2>Thresholds</h2>{chosen}</section>
<section><h2>What they rest on</h2>{_paragraphs([*summary(found), *found.searched(), *caveats()])}
{_paragraphs(correction_lines(found.corrected))}</section>
<section>{_table(rate_table(found))}</section>
{f"<section><h2>Groups</h2>{groups}</section>" if groups else ""}
<section><h2>Curves</h2><div class="plots">{"".join(_pictures(charts))}</div></section>
</main>
</body>
</html>
"""


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _table(table: TextTable) -> str:
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<h2>{escape(table.title)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _pictures(charts: Mapping[str, bytes]) -> Iterable[str]:
    titles = {"det.svg": "Detection error trade-off curve", "distances.svg": "Histograms of distances"}
    for name, title in titles.items():
        data = base64.b64encode(charts[name]).decode("ascii")
        yield f'<img alt="{title}" src="data:image/svg+xml;base64,{data}">'
