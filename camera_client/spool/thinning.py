"""Which frames to give up when there is room for only some of them: few of every time rather than all of one."""

import itertools
from collections.abc import Sequence

# Two frames of a steady camera are hardly more than this many of its shortest intervals apart.
_JITTER = 1.5


def frames_to_drop(times: Sequence[int], sizes: Sequence[int], excess: int) -> list[int]:
    """Choose frames whose loss leaves the smallest gaps, the oldest of them first.

    Wherever frames are nearest to each other, every second one goes, from the oldest on; once all are twice as far
    apart, the same begins again. However long the frames go on coming, the whole time stays covered evenly, and only
    the latest ones are as dense as they were taken.

    Args:
        times: capture times, rising, in any unit.
        sizes: the frames' sizes, in any unit.
        excess: what the frames chosen must add up to, or more, in the unit of sizes.

    Returns:
        Places in `times`; all of them when that is not enough.
    """
    kept = list(range(len(times)))
    dropped: list[int] = []
    spacing = 0.0
    while excess > 0 and len(kept) > 1:
        nearest = min(times[after] - times[before] for before, after in itertools.pairwise(kept))
        # Growing in every round bounds the rounds, however unequal the gaps are.
        spacing = max(_JITTER * nearest, _JITTER * spacing, 1.0)
        stay = kept[:1]
        for place in kept[1:]:
            if excess > 0 and times[place] - times[stay[-1]] < spacing:
                dropped.append(place)
                excess -= sizes[place]
            else:
                stay.append(place)
        kept = stay
    return dropped + kept if excess > 0 else dropped
