"""The report of an evaluation: one page that needs nothing beside it, the same figures as JSON, and the plots."""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from accuracy.evaluation.evaluating import MOST_PAIRS, EvaluationRun
from accuracy.evaluation.figures import AtRule, Confusion, Evaluation, RateAt
from accuracy.evaluation.plots import draw_plots
from accuracy.evaluation.searching import Sample
from accuracy.evaluation.text import Row, figure_rows, printable, rule_rows, rule_title, scene_cells, summary
from accuracy.statistics.bootstrap import Rate
from accuracy.statistics.rates import LEVEL
from attendance.gallery.files import make_private_folder, replace_durably

PAGE, FIGURES = "evaluation.html", "evaluation.json"
_STYLE = Path(__file__).with_suffix(".css")


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
    make_private_folder(folder)
    made_at = datetime.now(UTC).astimezone(zone)
    plots = draw_plots(run.evaluation)
    for name, data in plots.items():
        replace_durably((folder / name).absolute(), data)
    figures = json.dumps(as_json(run, model=model, made_at=made_at), indent=2, ensure_ascii=False, allow_nan=False)
    replace_durably((folder / FIGURES).absolute(), figures.encode("utf-8", errors="replace"))
    page = render_page(run, plots, model=model, institution=institution, made_at=made_at)
    replace_durably((folder / PAGE).absolute(), page.encode("utf-8", errors="replace"))
    return folder / PAGE


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
        "tpir_at_fpir": [_rate_at(one) for one in found.tpir],
        "tar_at_far": [_rate_at(one) for one in found.tar],
        "decisions": [_decisions(rule) for rule in found.rules],
        "confusions": [_confusion(run, one) for one in found.confusions],
        "scenes": [
            {
                "photo": scene.photo,
                "faces": scene.faces,
                "named": scene.named,
                "answer": None if scene.expected is None else sorted(scene.expected),
                "right": scene.right,
            }
            for scene in run.scenes
        ],
        "left_out": [{"photo": photo, "why": why} for photo, why in run.left_out],
        "remarks": list(run.remarks),
    }


def _rate(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"value": rate.value, "low": rate.low, "high": rate.high, "count": rate.count, "people": rate.people}


def _rate_at(found: RateAt) -> dict[str, Any]:
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
    style = _STYLE.read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    # Whatever a file's name holds, nothing but this style is used, and nothing is fetched.
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>Evaluation, {made_at:%Y-%m-%d %H:%M}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Evaluation of identification</h1>
<p>{escape(institution)}, <time datetime="{made_at.isoformat()}">{made_at:%Y-%m-%d %H:%M %Z}</time></p>
</header>
<main>
<p class="notice">This page holds photos of people. Keep it where only those who need it can read it, and delete it when
you are done.</p>
<section><h2>What was done</h2>{_paragraphs([*summary(run, model), *run.remarks])}</section>
<section><h2>Rates</h2>{_figures(figure_rows(run.evaluation))}
<p class="soft">Intervals: bootstrap over people, {run.evaluation.replicates:,} replicates, seed {run.evaluation.seed}.
Photos without exactly one face are not counted here; they are listed below.</p></section>
{_decided(run.evaluation)}
{_plots(plots)}
{_scenes(run)}
{_pairs(run)}
{_left_out(run)}
</main>
</body>
</html>
"""


def _paragraphs(lines: Iterable[str]) -> str:
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _figures(rows: Iterable[Row]) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(title)}</th><td class="figure">{escape(value)}</td><td>{escape(between)}</td>'
        f"<td>{escape(basis)}</td></tr>"
        for title, value, between, basis in rows
    )
    head = '<tr><th></th><th>Figure</th><th scope="col">95 % interval</th><th scope="col">Rests on</th></tr>'
    return f"<table><thead>{head}</thead><tbody>{body}</tbody></table>"


def _decided(evaluation: Evaluation) -> str:
    if not evaluation.rules:
        return _section(
            "What the product would decide",
            "<p>Left out: the configured thresholds are of another model. Name one with --threshold.</p>",
        )
    return "".join(_section(rule_title(rule), _figures(rule_rows(rule)) + _outcomes(rule)) for rule in evaluation.rules)


def _outcomes(rule: AtRule) -> str:
    def counts(title: str, outcomes: Mapping[Any, int]) -> str:
        listed = ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(outcomes.items()))
        return f'<p class="soft">{title}: {escape(listed)}.</p>' if listed else ""

    # To a stranger every name is somebody else's.
    return counts("Searches of enrolled people", rule.mated) + counts("Searches of strangers", rule.strangers)


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>\n"


def _plots(plots: Mapping[str, bytes]) -> str:
    pictures = "".join(
        f'<img alt="{escape(Path(name).stem.replace("-", " "))}" src="{_data("image/svg+xml", data)}">'
        for name, data in plots.items()
        if name.endswith(".svg")
    )
    return _section("Curves", f'<div class="plots">{pictures}</div>') if pictures else ""


def _data(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _scenes(run: EvaluationRun) -> str:
    if not run.scenes:
        return ""
    rows = []
    for scene in run.scenes:
        named, expected, verdict = scene_cells(scene)
        tone = "good" if scene.right else "bad"
        rows.append(
            f'<tr><th scope="row">{escape(printable(scene.photo))}</th><td>{scene.faces}</td><td>{escape(named)}</td>'
            f'<td>{escape(expected)}</td><td class="{tone}">{verdict}</td></tr>'
        )
    head = "<tr><th>Photo</th><th>Faces</th><th>Named (distance)</th><th>Answer</th><th></th></tr>"
    table = f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    return _section("Photos in no person's folder", table)


def _pairs(run: EvaluationRun) -> str:
    confusions = run.evaluation.confusions
    if not confusions:
        return _section(
            "Misidentified",
            "<p>No photo of an enrolled person is nearest to somebody else, and no stranger is named.</p>",
        )
    shown = confusions[:MOST_PAIRS]
    more = f"<p>{len(shown):,} of {len(confusions):,}, nearest first; all are in {FIGURES}.</p>"
    body = "".join(_pair(run, one) for one in shown)
    return _section("Misidentified", f'{more if len(shown) < len(confusions) else ""}<div class="pairs">{body}</div>')


def _pair(run: EvaluationRun, one: Confusion) -> str:
    probe = run.searches.probes[one.probe]
    nearest = _nearest_sample(probe, run.enrolled.get(one.taken_for, ()))
    what = "a stranger to this gallery" if one.stranger else f"own nearest photo at {one.own:.3f}"
    named = '<span class="bad">named wrongly</span>' if one.named else "not named at the threshold"
    return (
        f'<article class="pair"><div class="faces">{_face(probe, probe.person)}{_face(nearest, one.taken_for)}</div>'
        f"<p>Distance {one.distance:.3f}; {what}. {named}</p></article>"
    )


def _nearest_sample(probe: Sample, samples: Sequence[Sample]) -> Sample | None:
    if not samples:
        return None
    return min(samples, key=lambda sample: float(np.linalg.norm(sample.encoding - probe.encoding)))


def _face(sample: Sample | None, person: str) -> str:
    caption = escape(printable(person))
    if sample is None or sample.thumbnail is None:
        return f'<figure><div class="none">no picture</div><figcaption>{caption}</figcaption></figure>'
    name = escape(printable(sample.photo))
    return (
        f'<figure><img alt="{name}" src="{_data("image/jpeg", sample.thumbnail)}">'
        f'<figcaption>{caption}<br><span class="soft">{name}</span></figcaption></figure>'
    )


def _left_out(run: EvaluationRun) -> str:
    if not run.left_out:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{escape(printable(photo))}</th><td>{escape(why)}</td></tr>' for photo, why in run.left_out
    )
    return _section(f"Files not used: {len(run.left_out):,}", f"<table><tbody>{rows}</tbody></table>")
