"""One gallery: building it, its size, its start, its searches beside a numpy loop and a bare FAISS index."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from attendance.gallery.format import load_gallery, publish
from attendance.gallery.gallery import Gallery
from attendance.gallery.search import ExactSearch
from attendance.gallery.threads import PRODUCTS_FROM, Threads
from attendance.settings.families import traits_of
from benchmarks.matching.people import PHOTOS, SEED, People
from benchmarks.timing import best, seconds

BATCHES = (1, 32, 256)
ROSTER = 200
"""Students of a class."""
CAMPUS_THRESHOLD = 0.5

_MODEL = "dlib-resnet-v1"
# FAISS waits with matrix products until a batch has so many numbers; its default, and what this project sets.
_AS_INSTALLED, _TUNED = 128_000, PRODUCTS_FROM
# Comparisons beyond which one call of a slow search would take longer than half a minute.
_MOST_AS_INSTALLED = 40_000_000
_MOST_LOOPED = 10_000_000

_START = """
import json, re, sys, time
from pathlib import Path
import numpy as np
from attendance.gallery.format import load_gallery

def memory():
    status = Path("/proc/self/status").read_text()
    return {name: int(re.search(name + r":\\s*(\\d+)", status).group(1)) / 1024 for name in ("VmRSS", "RssAnon")}

before, start = memory(), time.perf_counter()
gallery = load_gallery(Path(sys.argv[1]))
loaded = time.perf_counter() - start
gallery.nearest(np.asarray(gallery.rows[:1]))
first = time.perf_counter() - start
after = memory()
print(json.dumps({"start_s": loaded, "first_answer_s": first, "memory_mib": after["VmRSS"] - before["VmRSS"],
                  "own_memory_mib": after["RssAnon"] - before["RssAnon"]}))
"""


def memory_needed(encodings: int) -> int:
    """Bytes that measuring a gallery takes, at most: the encodings drawn, those published, and room to work."""
    return int(encodings * 128 * 4 * 2.6) + 1_000_000_000


def memory_available() -> int:
    """Bytes that this machine could give now."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")) * 1024


def measure(people: People, encodings: int, *, calls: int, sample: int) -> dict[str, Any]:
    """Measure one size.

    Args:
        people: whom to draw.
        encodings: how many.
        calls: of each search; the shortest counts.
        sample: probes of each kind for the recall.
    """
    with tempfile.TemporaryDirectory(prefix="matching-") as name:
        folder = Path(name) / "index"
        results = _build(people, encodings, folder)
        results |= json.loads(_run(_START, str(folder)))
        gallery = load_gallery(folder)
        random = np.random.default_rng([SEED, encodings, 1])
        own = gallery.rows[np.sort(random.choice(encodings, min(sample, encodings), replace=False))]
        further = people.further_photos(own, random)
        strangers = people.strangers(sample, random)
        results["recall"] = _recall(gallery, {"own": own, "further": further, "strangers": strangers})
        results["milliseconds"] = _searches(gallery, random.permutation(further), calls)
        results["roster_milliseconds"] = _rosters(gallery, random.permutation(further), calls)
    return results


def _build(people: People, encodings: int, folder: Path) -> dict[str, Any]:
    rows = people.draw(encodings)
    by_student = {
        f"{place:08d}": rows[start : start + PHOTOS] for place, start in enumerate(range(0, encodings, PHOTOS))
    }
    start = time.perf_counter()
    manifest, _ = publish(folder, by_student, model=_MODEL, traits=traits_of(_MODEL), encoding_size=rows.shape[1])
    return {
        "encodings": encodings,
        "students": manifest.identities,
        "build_s": time.perf_counter() - start,
        "disk_mib": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20,
        "search": dict(manifest.search),
    }


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def _recall(gallery: Gallery, probes: dict[str, NDArray[np.float32]]) -> dict[str, float]:
    """Share of probes whose nearest student is the one that comparing every encoding finds."""
    owners = np.repeat(np.arange(len(gallery.identities)), [count for _, count in gallery.labels])
    exact = ExactSearch(gallery.rows, owners, Threads())
    shares = {}
    for kind, rows in probes.items():
        wanted, apart = exact.nearest(rows, 1)
        found = [candidates[0].student for candidates in gallery.nearest(rows, count=1)]
        right = np.array(found) == np.array(gallery.identities)[wanted[:, 0]]
        shares[kind] = float(right.mean())
        if kind == "strangers":
            near = apart[:, 0] <= CAMPUS_THRESHOLD
            shares["strangers_near"] = float(right[near].mean()) if near.any() else 1.0
    return shares


def _searches(gallery: Gallery, probes: NDArray[np.float32], calls: int) -> dict[str, dict[str, float]]:
    """Milliseconds for each size of batch, of each way to search that can be borne."""
    flat = faiss.IndexFlatL2(gallery.encoding_size)
    flat.add(gallery.rows)
    doubles = gallery.rows.astype(np.float64) if gallery.encodings <= _MOST_LOOPED / 5 else None
    results: dict[str, dict[str, float]] = {}
    for batch in BATCHES:
        part = probes[:batch]
        work = gallery.encodings * batch
        times = {"ours": 1e3 * best(lambda part=part: gallery.nearest(part), calls)}
        with_threads = _bare(flat, part, _TUNED)
        times["faiss_tuned"] = 1e3 * best(with_threads, calls if work < _MOST_AS_INSTALLED else 2, 1)
        if work <= _MOST_AS_INSTALLED:
            times["faiss"] = 1e3 * best(_bare(flat, part, _AS_INSTALLED), min(calls, 5), 1)
        if doubles is not None:
            looped = min(batch, max(1, _MOST_LOOPED // gallery.encodings))
            # One probe is as much work as the next.
            times["face_distance"] = 1e3 * seconds(_loop(doubles, part[:looped])) * batch / looped
        results[str(batch)] = times
    return results


def _bare(flat: Any, probes: NDArray[np.float32], products_from: int) -> Callable[[], object]:
    """What a user of FAISS writes, with all cores."""

    def search() -> object:
        faiss.omp_set_num_threads(len(os.sched_getaffinity(0)))
        faiss.cvar.distance_compute_blas_threshold = products_from
        return flat.search(probes, 2)

    return search


def _loop(known: NDArray[np.float64], probes: NDArray[np.float32]) -> Callable[[], object]:
    """What a user of face_recognition writes, with the function of that package."""
    from face_recognition import face_distance  # noqa: PLC0415 - it loads its models

    return lambda: [int(face_distance(known, probe).argmin()) for probe in probes.astype(np.float64)]


def _rosters(gallery: Gallery, probes: NDArray[np.float32], calls: int) -> dict[str, dict[str, float]]:
    """Milliseconds for a roster: kept from the batch before, seen for the first time, and by FAISS's id selector."""
    random = np.random.default_rng(SEED)
    students = len(gallery.identities)
    chosen = np.sort(random.choice(students, min(ROSTER, students), replace=False))
    roster = frozenset(gallery.identities[place] for place in chosen)
    flat = faiss.IndexFlatL2(gallery.encoding_size)
    flat.add(gallery.rows)
    rows = (chosen[:, None] * PHOTOS + np.arange(PHOTOS)).ravel()
    parameters = faiss.SearchParameters(sel=faiss.IDSelectorArray(rows[rows < gallery.encodings]))
    others = iter(range(students))

    def first(part: NDArray[np.float32]) -> object:
        # Another student in place of one makes a roster that was never seen.
        return gallery.nearest(part, among=roster ^ {gallery.identities[next(others)]})

    results = {}
    for batch in BATCHES:
        part = probes[:batch]
        results[str(batch)] = {
            "kept": 1e3 * best(lambda part=part: gallery.nearest(part, among=roster), calls),
            "first": 1e3 * best(lambda part=part: first(part), 5, 1),
            "selector": 1e3 * best(lambda part=part: flat.search(part, PHOTOS + 1, params=parameters), calls),
        }
    return results
