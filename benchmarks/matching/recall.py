"""`python -m benchmarks.matching.recall`: what share of probes an approximate search answers right, by its parameters.

This is where the trials and the bounds of `attendance.gallery.proposals` come from. Times are not measured.
"""

import argparse
import warnings

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.gallery.gallery import Gallery
from attendance.gallery.manifest import Tuning
from attendance.gallery.proposals import TRIALS, Proposals, train
from attendance.gallery.search import ExactSearch
from attendance.gallery.threads import Threads
from attendance.settings.families import DLIB
from benchmarks.matching.people import PHOTOS, SEED, People, measure_people

# Nearest of equally near ones: distances so little apart are one.
_SAME = 1e-9


def main() -> None:
    """Print a line for each pair of parameters, and the one that a builder chooses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encodings", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[SEED])
    parser.add_argument("--probes", type=int, default=4_000, help="of each kind")
    parser.add_argument("--chosen", action="store_true", help="what a builder chooses, alone")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="face_recognition_models")
    people = measure_people(AcceleratedEngine(precision="fp32"))
    for seed in options.seeds:
        _measure(people, people.draw(options.encodings, seed), seed, options.probes, chosen_alone=options.chosen)


def _measure(people: People, rows: NDArray[np.float32], seed: int, count: int, *, chosen_alone: bool) -> None:
    threads = Threads()
    counts = np.full(-(-len(rows) // PHOTOS), PHOTOS)
    counts[-1] -= PHOTOS * len(counts) - len(rows)
    exact = ExactSearch(rows, np.repeat(np.arange(len(counts)), counts), threads)
    probes = _probes(people, rows, count, np.random.default_rng([seed, len(rows), 3]))
    wanted = {kind: exact.nearest(some, 1)[1] for kind, some in probes.items()}

    def line(proposals: Proposals, name: str) -> str:
        search = proposals.searcher(exact, counts, threads)
        shares = [
            f"{kind} {(search.nearest(some, 1)[1] <= wanted[kind] + _SAME).mean():.4f}" for kind, some in probes.items()
        ]
        tuning = proposals.tuning
        return f"{name}: {tuning.probes} of {tuning.lists} lists, {tuning.proposals} proposals: {', '.join(shares)}"

    if not chosen_alone:
        index, lists = train(rows, counts, threads)
        for share, most in TRIALS:
            tuning = Tuning(lists, max(1, round(lists * share)), most, 0.0, 0.0, 0)
            print(line(Proposals(index, tuning), f"seed {seed}"), flush=True)
    students = [str(place) for place in range(len(counts))]
    gallery = Gallery(
        version="", model="", encoding_size=rows.shape[1], students=students, counts=counts.tolist(), rows=rows
    )
    chosen = gallery.build_proposals(usual_distance=DLIB.usual_distance)
    print(f"seed {seed}: no parameters reach the recall" if chosen is None else line(chosen, f"seed {seed} chosen"))


def _probes(
    people: People, rows: NDArray[np.float32], count: int, random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    own = rows[random.integers(len(rows), size=count)]
    others = rows[random.integers(len(rows), size=count)]
    toward = random.uniform(0.1, 0.3, (count, 1)).astype(np.float32)
    return {
        "own": own,
        "further": people.further_photos(own, random),
        "between two": own + toward * (others - own),
        "strangers": people.strangers(count, random),
    }


if __name__ == "__main__":
    main()
