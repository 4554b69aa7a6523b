"""The report of an evaluation: one page that needs nothing beside it, the same figures as JSON, and the plots."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from accuracy.evaluation.evaluating import MOST_PAIRS, EvaluationRun
from accuracy.evaluation.figures import AtRule, Confusion, RateAt
from accuracy.evaluation.plots import draw_plots
from accuracy.evaluation.scenes import SceneResult
from accuracy.evaluation.searching import Sample
from accuracy.evaluation.text import figure_rows, rule_rows, rule_title, scene_cells, summary
from accuracy.report import STYLE, write_report
from accuracy.statistics.bootstrap import Rate
from accuracy.statistics.rates import LEVEL
from attendance.reports.pages import fill_page

_NAME = "evaluation"
_TEMPLATE = Path(__file__).with_suffix(".html")


def write_evaluation(folder: Path, run: EvaluationRun, *, model: str, institution: str, zone: ZoneInfo) -> Path:
    """Write the page, the figures and the plots, for this account only: the page holds photos.

    Args:
        folder: made if it is missing; files of an earlier report are replaced.
        run: what to report.
        model: the embedding model.
        institution: shown at the top.
        zone: for the time shown.

    Returns:
        The page.

    Raises:
        OSError: the disk refuses.
    """
    made_at = datetime.now(UTC).astimezone(zone)
    plots = draw_plots(run.evaluation)
    figures = as_json(run, model=model, made_at=made_at)
    page = render_page(run, plots, model=model, institution=institution, made_at=made_at)
    return write_report(folder, _NAME, page=page, figures=figures, charts=plots)


def as_json(run: EvaluationRun, *, model: str, made_at: datetime) -> dict[str, Any]:
    """All figures by name. Rates are shares, distances Euclidean; there is no photo and no encoding in it."""
    found = run.evaluation
    return {
        "made_at": made_at.isoformat(),
        "model": model,
        "how": run.how,
        "photos": run.photos,
        "failures_to_acquire": run.not_acquired,
        "gallery": {"people": found.enrolled, "encodings": found.encodings},
        "mated_searches": {"count": found.mated, "people": found.mated_people},
        "nonmated_searches": {"count": found.nonmated, "people": found.nonmated_people, "in_turn": found.in_turn},
        "bootstrap": {"level": LEVEL, "replicates": found.replicates, "seed": found.seed, "over": "people"},
        "cmc": [_rate(rate) for rate in found.cmc],
        "tpir_at_fpir": [rate_at_as_json(one) for one in found.tpir],
        "tar_at_far": [rate_at_as_json(one) for one in found.tar],
        "decisions": [_decisions(rule) for rule in found.rules],
        "confusions": [_confusion(run, one) for one in found.confusions],
        "scenes": scenes_as_json(run.scenes),
        "left_out": [{"photo": photo, "why": why} for photo, why in run.left_out],
        "remarks": list(run.remarks),
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"value": rate.value, "low": rate.low, "high": rate.high, "count": rate.count, "people": rate.people}


def scenes_as_json(scenes: Sequence[SceneResult]) -> list[dict[str, Any]]:
    """Photos in no person's folder, and whom the product names in each, with the distance."""
    return [
        {
            "photo": scene.photo,
            "faces": scene.faces,
            "named": scene.named,
            "answer": None if scene.expected is None else sorted(scene.expected),
            "right": scene.right,
        }
        for scene in scenes
    ]


def rate_at_as_json(found: RateAt) -> dict[str, Any]:
    """A rate at a wanted share of false positives; null for what is not known."""
    return {
        "wanted": found.wanted,
        "rate": _rate(found.rate),
        "threshold": found.threshold if found.threshold is not None and np.isfinite(found.threshold) else None,
        "trials": found.trials,
        "remark": found.remark,
    }


def _decisions(rule: AtRule) -> dict[str, Any]:
    return {
        "title": rule.title,
        "threshold": rule.rule.threshold,
        "margin": rule.rule.margin,
        "mated": {outcome.value: count for outcome, count in rule.mated.items()},
        "strangers": {outcome.value: count for outcome, count in rule.strangers.items()},
        "named_rightly": _rate(rule.right),
        "named_as_somebody_else": _rate(rule.wrong),
        "strangers_named": _rate(rule.false_positive),
    }


def _confusion(run: EvaluationRun, one: Confusion) -> dict[str, Any]:
    probe = run.searches.probes[one.probe]
    return {
        "photo": probe.photo,
        "person": probe.person,
        "nearest_to": one.taken_for,
        "distance": one.distance,
        "own_distance": one.own if np.isfinite(one.own) else None,
        "named": one.named,
        "stranger": one.stranger,
    }


def render_page(
    run: EvaluationRun, plots: Mapping[str, bytes], *, model: str, institution: str, made_at: datetime
) -> str:
    """The page's HTML; see `write_evaluation`."""
    found = run.evaluation
    return fill_page(
        _TEMPLATE,
        styles=[STYLE, _TEMPLATE.with_suffix(".css")],
        institution=institution,
        made_at=made_at,
        done=[*summary(run, model), *run.remarks],
        found=found,
        rates=list(figure_rows(found)),
        rules=[(rule_title(rule), list(rule_rows(rule)), rule) for rule in found.rules],
        curves={Path(name).stem.replace("-", " "): data for name, data in plots.items() if name.endswith(".svg")},
        scenes=[(scene, *scene_cells(scene)) for scene in run.scenes],
        pairs=[_pair(run, one) for one in found.confusions[:MOST_PAIRS]],
        left_out=run.left_out,
        figures_file=f"{_NAME}.json",
    )


def _pair(run: EvaluationRun, one: Confusion) -> tuple[Confusion, Sample, Sample | None]:
    """A search that found somebody else, its photo, and the nearest photo of whom it found."""
    probe = run.searches.probes[one.probe]
    return one, probe, _nearest_sample(probe, run.enrolled.get(one.taken_for, ()))


def _nearest_sample(probe: Sample, samples: Sequence[Sample]) -> Sample | None:
    if not samples:
        return None
    return min(samples, key=lambda sample: float(np.linalg.norm(sample.encoding - probe.encoding)))
