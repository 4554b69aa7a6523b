"""What one server of two cores is to reach, and whether results say that it does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.service.loads import FREE

FAIR = 0.9
"""Of what others have, or of the peak."""
_RATIO, _LATE, _GROWN = 0.8, 6.0, 1.05
_MANY = {
    "seats": ("1080p cameras, a frame in five seconds with 20 settled faces, none held back, a third free", 60),
    "doors": ("door cameras, 720p, four frames a second, two moving faces, none held back, a third free", 8),
}
"""The two loads of many cameras, and how many there are to be."""
_HOUR_S, _MINUTE_S = 3600, 60


@dataclass(frozen=True)
class Aim:
    """A line of what is to be reached."""

    what: str
    least: str
    figure: str
    """What was measured."""
    reached: bool

    @property
    def verdict(self) -> str:
        """For a table."""
        return "yes" if self.reached else "**no**"


def aims(results: dict[str, Any]) -> Iterator[Aim]:
    """What was to be reached, as far as it was measured."""
    if "saturation" in results:
        yield _of_the_bare_rate(results["saturation"])
    for name, (what, least) in _MANY.items():
        if name in results:
            yield _of_many(results[name], what, least)
    if "latency" in results and results.get("alone"):
        late, alone = results["latency"][-1]["p99"], results["alone"]["p50"]
        figure = f"{late / alone:.1f} ({late:.0f} ms, alone {alone:.0f} ms)"
        what = "p99 at 80 % of the peak over the time of one frame alone"
        yield Aim(what, f"at most {_LATE:g}", figure, late <= _LATE * alone)
    if "overload" in results:
        one = results["overload"]
        grown = one["memory_last_mib"] / one["memory_first_mib"]
        figure = f"{grown:.3f} (of {_span(one['seconds'])}; {one['memory_last_mib']:.0f} MiB)"
        what = "memory after an hour at saturation over that after a minute"
        yield Aim(what, f"at most {_GROWN:g}", figure, grown <= _GROWN)
    if "fairness" in results:
        share = results["fairness"]["share"]
        what = "the slowest of ten cameras beside a greedy one and one of 16 megapixels, of the mean"
        yield Aim(what, f"{FAIR:g}", f"{share:.2f}", share >= FAIR)


def _of_the_bare_rate(one: dict[str, Any]) -> Aim:
    figure = f"{one['ratio_apart']:.2f} ({one['ratio']:.2f} with the simulated cameras on the same cores)"
    what = "frames a second at saturation, of what decoding and the engine alone do together"
    return Aim(what, f"{_RATIO:.2f}", figure, one["ratio_apart"] >= _RATIO)


def _of_many(one: dict[str, Any], what: str, least: int) -> Aim:
    unserved = one["held_back"] + sum(
        count for outcome, count in one["outcomes"].items() if outcome not in ("recognized", "unchanged")
    )
    figure = (
        f"{one['cameras']} with {max(one['free'], 0):.0%} free and {unserved} frames held back or refused; by processor"
        f" time there is room for {one['room_for']:.0f}"
    )
    return Aim(what, str(least), figure, not unserved and one["free"] >= FREE and one["cameras"] >= least)


def _span(seconds: float) -> str:
    if seconds >= _HOUR_S:
        return f"{seconds / _HOUR_S:g} h"
    return f"{seconds / _MINUTE_S:.0f} min" if seconds >= _MINUTE_S else f"{seconds:.0f} s"
