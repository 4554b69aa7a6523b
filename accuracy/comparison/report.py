"""The report of a comparison: one page that needs nothing beside it, the same figures as JSON, and the charts."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from accuracy.calibration.text import TextTable
from accuracy.comparison.charts import draw_charts
from accuracy.comparison.comparing import Comparison, FamilyFigures, Outcomes
from accuracy.comparison.text import alone_table, notes, scene_table, summary, tables, width_lines, width_table
from accuracy.evaluation.report import rate_at_as_json, scenes_as_json
from accuracy.report import STYLE, write_report
from accuracy.statistics.rates import LEVEL, Interval
from attendance.reports.pages import fill_page

_TEMPLATE = Path(__file__).with_suffix(".html")


def write_comparison(
    folder: Path,
    found: Comparison,
    *,
    institution: str,
    zone: ZoneInfo,
    names: bool = True,
    more: Sequence[TextTable] = (),
    more_figures: Mapping[str, Any] | None = None,
) -> Path:
    """Write the page, the figures and the charts, for this account only. They hold no photo and no encoding.

    Args:
        folder: made if it is missing; files of an earlier report are replaced.
        found: what to report.
        institution: shown at the top.
        zone: for the time shown.
        names: whether photos and the people in them are named.
        more: further tables.
        more_figures: further entries of the JSON.

    Returns:
        The page.

    Raises:
        OSError: the disk refuses.
    """
    made_at = datetime.now(UTC).astimezone(zone)
    charts = draw_charts(found)
    figures = as_json(found, made_at=made_at, names=names) | dict(more_figures or {})
    named = [table for table in (scene_table(found), alone_table(found)) if table is not None] if names else []
    page = fill_page(
        _TEMPLATE,
        styles=[STYLE],
        institution=institution,
        made_at=made_at,
        done=summary(found),
        tables=[*more, *tables(found), *named],
        about={width_table(found).title: width_lines(found)},
        curves={Path(name).stem.replace("-", " "): data for name, data in charts.items() if name.endswith(".svg")},
        notes=notes(found),
    )
    return write_report(folder, "comparison", page=page, figures=figures, charts=charts)


def as_json(found: Comparison, *, made_at: datetime, names: bool = True) -> dict[str, Any]:
    """All figures by name. Rates are shares, distances Euclidean.

    Args:
        found: what to report.
        made_at: the time shown.
        names: whether photos and the people in them are named.
    """
    return {
        "made_at": made_at.isoformat(),
        "photos": found.photos,
        "photos_both_can_use": found.shared,
        "people": found.people,
        "intervals": {"level": LEVEL, "tar_at_fmr": "bootstrap over people", "others": "Clopper-Pearson"},
        "families": {str(one.family): _family(one, names=names) for one in found.families},
    }


def _family(one: FamilyFigures, *, names: bool) -> dict[str, Any]:
    run = one.run
    found = run.evaluation
    return {
        "model": one.model,
        "how": run.how,
        "failures_to_acquire": run.not_acquired,
        "gallery": {"people": found.enrolled, "encodings": found.encodings},
        "mated_searches": {"count": found.mated, "people": found.mated_people},
        "nonmated_searches": {"count": found.nonmated, "people": found.nonmated_people, "in_turn": found.in_turn},
        "impostor_comparisons": len(found.impostor),
        "smallest_named": one.numbers.smallest_named,
        "at_thresholds": [
            {
                "title": at.title,
                "threshold": at.rule.threshold,
                "margin": at.rule.margin,
                "fmr": _interval(at.false_match),
                "fnmr": _interval(at.false_non_match),
                **_outcomes(at.outcomes),
            }
            for at in one.thresholds
        ],
        "tar_at_fmr": [rate_at_as_json(at) for at in one.tar],
        "by_width": [
            {
                "pixels": at.width,
                "pixels_of_its_own_box": at.own_width,
                "photos": at.photos,
                "found": _interval(at.found),
                **_outcomes(at.outcomes),
            }
            for at in one.widths
        ],
        "groups": [
            {
                "threshold": threshold,
                "group": group.group,
                "people": group.people,
                "fmr_within": _interval(group.false_match),
                "fnmr": _interval(group.false_non_match),
                "flagged": group.flagged,
            }
            for threshold, groups in (one.groups.groups.items() if one.groups is not None else ())
            for group in groups
        ],
        "usable_with_this_family_alone": (
            [{"photo": photo, "other_family": why} for photo, why in one.alone.items()] if names else len(one.alone)
        ),
        **({"scenes": scenes_as_json(run.scenes)} if names else {}),
        "remarks": list(run.remarks),
    }


def _outcomes(outcomes: Outcomes) -> dict[str, Any]:
    return {
        "mated": outcomes.mated,
        "named_rightly": _interval(outcomes.right),
        "named_as_somebody_else": _interval(outcomes.wrong),
        "searches_of_strangers": outcomes.strangers,
        "strangers_named": _interval(outcomes.named),
    }


def _interval(interval: Interval) -> dict[str, float] | None:
    return None if math.isnan(interval.rate) else interval._asdict()
