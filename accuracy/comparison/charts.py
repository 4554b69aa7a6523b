"""The charts of a comparison: a curve for each family, in one chart each."""

from collections.abc import Mapping

import numpy as np

from accuracy.comparison.comparing import Comparison, FamilyFigures
from accuracy.statistics.plots import Band, Curve, render_bands, render_det
from accuracy.statistics.rates import ErrorRates

DET, SEARCH_DET, WIDTHS = "det-verification", "det-identification", "widths"


def draw_charts(found: Comparison) -> Mapping[str, bytes]:
    """PNG and SVG files by name; a chart for which there are no searches is left out."""
    charts: dict[str, Mapping[str, bytes]] = {}
    pairs = [
        Curve(_name(one), ErrorRates(run.genuine, run.impostor).det_points(), _marks(one))
        for one in found.families
        if len((run := one.run.evaluation).genuine) and len(run.impostor)
    ]
    if pairs:
        charts[DET] = render_det(*pairs, title="Verification, both families on the same photos")
    searches = [
        Curve(_name(one), ErrorRates(run.mated_first, run.nonmated_nearest).det_points(), _marks(one))
        for one in found.families
        if len((run := one.run.evaluation).mated_first) and np.isfinite(run.nonmated_nearest).any()
    ]
    if searches:
        enrolled = found.families[0].run.evaluation.enrolled
        charts[SEARCH_DET] = render_det(
            *searches,
            title=f"Search among {enrolled:,} people, rank 1, without the margin",
            x_label="False positive identification rate (FPIR)",
            y_label="False negative identification rate (FNIR)",
        )
    bands = [
        Band(
            str(one.family),
            np.array([at.width for at in shown], np.float64),
            np.array([at.outcomes.right for at in shown], np.float64),
        )
        for one in found.families
        if (shown := [at for at in one.widths if at.outcomes.mated])
    ]
    if bands:
        charts[WIDTHS] = render_bands(
            *bands,
            title="Named rightly at the roster's threshold",
            x_label="Width of the face, pixels",
            y_label="Share of searches (95 %)",
        )
    return {f"{name}.{kind}": data for name, files in charts.items() for kind, data in files.items()}


def _name(one: FamilyFigures) -> str:
    return f"{one.family} ({one.model})"


def _marks(one: FamilyFigures) -> dict[str, float]:
    return {f"{one.family} {at.rule.threshold:g}": at.rule.threshold for at in one.thresholds}
