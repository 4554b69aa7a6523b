"""Charts of error rates, as PNG and SVG: readable in black and white, since curves differ in their strokes too.

Drawn with `matplotlib.figure.Figure` and the Agg and SVG backends; nothing global stays changed, no window is opened.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray
from scipy import stats

from accuracy.statistics.rates import DetPoints

_DPI = 150
_STROKES = ("-", "--", "-.", ":")
_INKS = ("#12355b", "#b3541e", "#2a7f62", "#6b4c9a")
_TICKS = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99)
_PERCENT_FROM = 1e-3
_TOO_FEW = "Too few people for this curve:\nat no threshold are both kinds of errors known."
_BESIDE = 0.4
"""How far error bars of one place lie apart, in the unit of the places."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One line of a DET chart."""

    name: str
    points: DetPoints
    marked: Mapping[str, float] | None = None
    """Thresholds to mark on the curve, by what is written beside them."""


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Distances of one kind: of pairs, or, with counts, of bins."""

    name: str
    distances: NDArray[np.float64]
    """Shape (n,); those that are infinite are left out."""
    counts: NDArray[np.int64] | None = None
    """Shape (n,): how many of each; None: one."""


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Shares with their intervals, against something that is measured."""

    name: str
    places: NDArray[np.float64]
    """Shape (n,), ascending."""
    shares: NDArray[np.float64]
    """Shape (n, 3): each share, and the limits of its interval."""


def render_det(
    *curves: Curve,
    title: str = "Detection error trade-off",
    x_label: str = "False match rate (FMR)",
    y_label: str = "False non-match rate (FNMR)",
) -> dict[str, bytes]:
    """Draw a DET chart on normal-deviate axes (Martin et al., Eurospeech 1997), on which normal scores are straight.

    Args:
        curves: what to draw; one without points inside the axes is named in the legend only.
        title: above it.
        x_label: for identification e.g. "False positive identification rate (FPIR)".
        y_label: e.g. "False negative identification rate (FNIR)".

    Returns:
        The bytes of its files, by "png" and "svg".
    """
    figure, axes = _figure(title, x_label, y_label)
    lowest = (
        _lowest([curve.points.false_match for curve in curves]),
        _lowest([curve.points.false_non_match for curve in curves]),
    )
    marks = 0
    for place, curve in enumerate(curves):
        stroke: dict[str, Any] = {"color": _INKS[place % len(_INKS)], "linestyle": _STROKES[place % len(_STROKES)]}
        # A rate of 0 lies at the edge: the curve leaves the chart there.
        x, y = (_deviate(part, least) for part, least in zip(curve.points[1:], lowest, strict=True))
        axes.plot(x, y, label=curve.name, linewidth=1.8, drawstyle="steps-post", **stroke)
        _mark(axes, curve, lowest, lines=marks)
        marks += len(curve.marked or {})
    for axis, least in zip((axes.xaxis, axes.yaxis), lowest, strict=True):
        ticks = [tick for tick in _TICKS if least <= tick]
        axis.set_major_locator(FixedLocator(stats.norm.ppf(ticks).tolist()))
        axis.set_minor_locator(NullLocator())
        axis.set_ticklabels([f"{tick:.3g}" if tick < _PERCENT_FROM else f"{tick:.4g}" for tick in ticks])
    axes.tick_params(axis="x", rotation=45)
    axes.set_xlim(*stats.norm.ppf([lowest[0], _TICKS[-1]]))
    axes.set_ylim(*stats.norm.ppf([lowest[1], _TICKS[-1]]))
    if is_empty(*curves):
        box = {"facecolor": "white", "edgecolor": "0.6", "boxstyle": "round,pad=0.6"}
        axes.text(0.5, 0.5, _TOO_FEW, transform=axes.transAxes, ha="center", va="center", fontsize=11, bbox=box)
    return _finish(figure, axes)


def is_empty(*curves: Curve) -> bool:
    """Whether a DET chart of these shows no line: at no threshold are both rates above 0 and below 1."""
    return not any(
        ((curve.points.false_match > 0) & (curve.points.false_match < 1)
         & (curve.points.false_non_match > 0) & (curve.points.false_non_match < 1)).any()
        for curve in curves
    )  # fmt: skip


def render_histograms(
    *distributions: Distribution,
    thresholds: Mapping[str, float] | None = None,
    title: str = "Distances of genuine and impostor comparisons",
    x_label: str = "Euclidean distance",
) -> dict[str, bytes]:
    """Draw histograms of distances, each scaled to its own number of comparisons.

    Args:
        distributions: what to draw.
        thresholds: vertical lines, by what is written beside them.
        title: above it.
        x_label: what a distance is.

    Returns:
        The bytes of its files, by "png" and "svg".
    """
    figure, axes = _figure(title, x_label, "Share of comparisons per 0.01 of distance")
    finite = [
        one.distances[np.isfinite(one.distances) & (True if one.counts is None else one.counts > 0)]
        for one in distributions
    ]
    far = max((float(part.max()) for part in finite if len(part)), default=1.0)
    edges = np.arange(0, far + 0.02, 0.01)
    for place, one in enumerate(distributions):
        weights = np.ones(len(one.distances)) if one.counts is None else one.counts.astype(np.float64)
        heights, _ = np.histogram(one.distances, edges, weights=weights)
        total = weights.sum()
        stroke: dict[str, Any] = {"edgecolor": _INKS[place % len(_INKS)], "linestyle": _STROKES[place % len(_STROKES)]}
        shares = heights / total if total else heights
        axes.stairs(shares, edges, label=f"{one.name} ({total:,.0f})", linewidth=1.6, **stroke)
    for height, (text, threshold) in enumerate((thresholds or {}).items()):
        axes.axvline(threshold, color="0.25", linewidth=1, linestyle=(0, (1, 1)))
        axes.annotate(
            f"{text} {threshold:.3f}", (threshold, 1 - 0.3 * height), xycoords=("data", "axes fraction"),
            xytext=(3, -4), textcoords="offset points", rotation=90, va="top", fontsize=8,
        )  # fmt: skip
    axes.set_ylim(bottom=0)
    return _finish(figure, axes)


def render_bands(*bands: Band, title: str, x_label: str, y_label: str) -> dict[str, bytes]:
    """Draw shares as lines with error bars, beside each other where their places are the same.

    Args:
        bands: what to draw.
        title: above it.
        x_label: what the places are.
        y_label: what the shares are.

    Returns:
        The bytes of its files, by "png" and "svg".
    """
    figure, axes = _figure(title, x_label, y_label)
    for place, band in enumerate(bands):
        share, low, high = band.shares.T
        apart = _BESIDE * (place - (len(bands) - 1) / 2)
        axes.errorbar(
            band.places + apart, share, yerr=np.clip([share - low, high - share], 0, None), label=band.name,
            color=_INKS[place % len(_INKS)], linestyle=_STROKES[place % len(_STROKES)],
            marker="os^D"[place % 4], markersize=5, linewidth=1.8, elinewidth=1, capsize=3,
        )  # fmt: skip
    axes.set_xticks(sorted({float(at) for band in bands for at in band.places}))
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    return _finish(figure, axes)


def _figure(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, color="0.85", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _lowest(rates: Sequence[NDArray[np.float64]]) -> float:
    """Where an axis begins: under the smallest rate above 0 that is known."""
    least = min((float(part[part > 0].min()) for part in rates if (part > 0).any()), default=1e-3)
    return max(min(least / 2, 5e-3), 1e-9)


def _deviate(rates: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    found: NDArray[np.float64] = stats.norm.ppf(np.clip(rates, least, 1 - 1e-9))
    return found


def _mark(axes: Axes, curve: Curve, lowest: tuple[float, float], *, lines: int) -> None:
    for height, (text, threshold) in enumerate((curve.marked or {}).items(), start=lines):
        place = int(np.searchsorted(curve.points.thresholds, threshold + 1e-9, side="right")) - 1
        if place < 0:
            continue
        parts = zip(curve.points[1:], lowest, strict=True)
        x, y = (float(_deviate(part[place : place + 1], least)[0]) for part, least in parts)
        axes.plot(
            [x], [y], "o", markersize=6, markerfacecolor="white", markeredgecolor="black", clip_on=False, zorder=3
        )
        # Texts of thresholds that lie near each other do not cover each other.
        axes.annotate(text, (x, y), xytext=(7, 5 + 13 * height), textcoords="offset points", fontsize=8)


def _finish(figure: Figure, axes: Axes) -> dict[str, bytes]:
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=True, fontsize=9)
    files = {}
    for kind in ("png", "svg"):
        buffer = io.BytesIO()
        # Without a date, and with names that are not drawn by chance, the same data give the same file.
        with rc_context({"svg.hashsalt": "attendance"}):
            figure.savefig(buffer, format=kind, dpi=_DPI, metadata={"Date": None} if kind == "svg" else None)
        files[kind] = buffer.getvalue()
    return files
