"""From which size on an approximate search is the faster one."""

from typing import Any

import numpy as np

from attendance.gallery.gallery import Gallery
from attendance.settings.families import DLIB
from benchmarks.matching.people import PHOTOS, SEED, People
from benchmarks.matching.sizes import BATCHES
from benchmarks.timing import best

A_FRAMES_FACES = 32
"""The largest batch that decides: what a full frame holds."""


def measure_crossover(people: People, sizes: tuple[int, ...], *, calls: int) -> list[dict[str, Any]]:
    """Time both ways over galleries of each size: milliseconds by batch, and the recall measured at build.

    Sizes where no approximate search reaches the recall have none.
    """
    found = []
    for size in sizes:
        rows = people.draw(size)
        students = [str(place) for place in range(-(-size // PHOTOS))]
        parts: dict[str, Any] = {
            "version": "",
            "model": "",
            "encoding_size": rows.shape[1],
            "students": students,
            "counts": [min(PHOTOS, size - PHOTOS * place) for place in range(len(students))],
            "rows": rows,
        }
        exact = Gallery(**parts)
        proposals = exact.build_proposals(usual_distance=DLIB.usual_distance)
        random = np.random.default_rng([SEED, size, 2])
        probes = people.further_photos(rows[random.choice(size, max(BATCHES))], random)
        row: dict[str, Any] = {"encodings": size, "exact_ms": _times(exact, probes, calls)}
        if proposals is not None:
            row["approximate_ms"] = _times(Gallery(**parts, proposals=proposals), probes, calls)
            row["search"] = proposals.described
        found.append(row)
    return found


def _times(gallery: Gallery, probes: Any, calls: int) -> dict[str, float]:
    return {str(batch): 1e3 * best(lambda batch=batch: gallery.nearest(probes[:batch]), calls) for batch in BATCHES}


def crossover(measured: list[dict[str, Any]]) -> int | None:
    """The smallest size from which on an approximate search is faster in batches of a frame's faces; None if none is.

    Larger batches are for exact search up to about a million encodings; nothing that waits for an answer has them.
    """
    first = None
    for row in reversed(measured):
        approximate = row.get("approximate_ms")
        if approximate is None or any(
            approximate[batch] >= row["exact_ms"][batch] for batch in approximate if int(batch) <= A_FRAMES_FACES
        ):
            break
        first = row["encodings"]
    return first
