"""The plots of an evaluation: DET curves of verification and of open-set identification, distances, and the CMC."""

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from accuracy.evaluation.figures import Evaluation
from accuracy.statistics.plots import Curve, Distribution, render_det, render_histograms
from accuracy.statistics.rates import ErrorRates

DET, SEARCH_DET, DISTANCES, CMC = "det-verification", "det-identification", "distances", "cmc"
_INK = "#12355b"


def draw_plots(evaluation: Evaluation) -> Mapping[str, bytes]:
    """PNG and SVG files by name; a plot for which there are no searches is left out."""
    plots: dict[str, Mapping[str, bytes]] = {}
    at_rules = {f"{rule.title} {rule.rule.threshold:g}": rule.rule.threshold for rule in evaluation.rules}
    if len(evaluation.genuine) and len(evaluation.impostor):
        verification = ErrorRates(evaluation.genuine, evaluation.impostor).det_points()
        plots[DET] = render_det(Curve("verification", verification, at_rules), title="Verification")
    if len(evaluation.mated_first) and np.isfinite(evaluation.nonmated_nearest).any():
        # A mate that is not the nearest is missed at every threshold: its distance is infinite.
        search = ErrorRates(evaluation.mated_first, evaluation.nonmated_nearest).det_points()
        plots[SEARCH_DET] = render_det(
            Curve(f"search among {evaluation.enrolled:,} people", search, at_rules),
            title="Open-set identification, rank 1, without the margin",
            x_label="False positive identification rate (FPIR)",
            y_label="False negative identification rate (FNIR)",
        )
    if len(evaluation.genuine) or len(evaluation.impostor):
        kinds = {"genuine": evaluation.genuine, "impostor": evaluation.impostor}
        plots[DISTANCES] = render_histograms(
            *(Distribution(name, apart.astype(np.float64)) for name, apart in kinds.items() if len(apart)),
            thresholds={rule.title: rule.rule.threshold for rule in evaluation.rules},
        )
    if len(evaluation.cmc) > 1:
        plots[CMC] = _draw_cmc(evaluation)
    return {f"{name}.{kind}": data for name, files in plots.items() for kind, data in files.items()}


def _draw_cmc(evaluation: Evaluation) -> dict[str, bytes]:
    """The cumulative match characteristic: the identification rate at each rank."""
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title("Cumulative match characteristic")
    axes.set_xlabel("Rank")
    axes.set_ylabel("Identification rate")
    axes.grid(visible=True, color="0.85", linewidth=0.6)
    ranks = np.arange(1, len(evaluation.cmc) + 1)
    axes.plot(ranks, [rate.value for rate in evaluation.cmc], marker="o", color=_INK, label="identification rate")
    low, high = ([getattr(rate, edge) for rate in evaluation.cmc] for edge in ("low", "high"))
    axes.fill_between(ranks, low, high, alpha=0.2, color=_INK, label="95 % interval over people")
    axes.set_xticks(ranks)
    axes.legend(loc="lower right", fontsize=9)
    return {"png": _save(figure, "png"), "svg": _save(figure, "svg")}


def _save(figure: Figure, kind: str) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()
