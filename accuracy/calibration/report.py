"""The report of a calibration: a page that needs nothing beside it, charts as PNG and SVG, the figures as JSON."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from accuracy.calibration.calibrating import Calibration
from accuracy.calibration.pairs import EDGES
from accuracy.calibration.text import (
    caveats,
    choice_lines,
    correction_lines,
    group_lines,
    group_tables,
    rate_table,
    summary,
)
from accuracy.report import STYLE, write_report
from accuracy.statistics.plots import Curve, Distribution, is_empty, render_det, render_histograms
from accuracy.statistics.rates import Interval
from attendance.reports.pages import fill_page

_TEMPLATE = Path(__file__).with_suffix(".html")


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
    made_at = datetime.now(UTC).astimezone(zone)
    charts = draw_charts(found)
    page = render_page(found, charts, institution=institution, made_at=made_at)
    return write_report(folder, "calibration", page=page, figures=as_json(found, made_at), charts=charts)


def draw_charts(found: Calibration) -> dict[str, bytes]:
    """The charts' files by name."""
    marked = {f"{choice.setting} {choice.threshold:g}": choice.threshold for choice in found.choices}
    lines = {choice.setting: choice.threshold for choice in found.choices}
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
        "det": render_det(_det_curve(found, marked)),
        "distances": render_histograms(*distributions, thresholds=lines),
    }
    return {f"{name}.{kind}": data for name, files in charts.items() for kind, data in files.items()}


def _det_curve(found: Calibration, marked: Mapping[str, float] | None = None) -> Curve:
    return Curve("one photo with one student", found.comparisons.rates.det_points(), marked)


def as_json(found: Calibration, made_at: datetime) -> dict[str, Any]:
    """All figures by name; null for what is unknown."""
    return {
        "made_at": made_at.isoformat(),
        "model": found.model,
        "family": found.family.value,
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
                "setting": found.name_of(choice),
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
    return fill_page(
        _TEMPLATE,
        styles=[STYLE, _TEMPLATE.with_suffix(".css")],
        institution=institution,
        made_at=made_at,
        chosen=[list(choice_lines(found, choice)) for choice in found.choices],
        basis=[*summary(found), *found.searched(), *caveats()],
        corrections=correction_lines(found.corrected),
        rates=rate_table(found),
        groups=group_tables(found),
        about_groups=group_lines(found),
        charts=charts,
        too_few=is_empty(_det_curve(found)),
    )
