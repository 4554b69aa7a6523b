"""The plots of an evaluation."""

from collections.abc import Mapping

from accuracy.evaluation import Evaluation


def draw_plots(evaluation: Evaluation) -> Mapping[str, bytes]:
    """PNG and SVG files by name."""
    return {}
