"""Photos that lie in no person's folder: whom the product would name in each, beside who is in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from accuracy.evaluation.decisions import Rule
from accuracy.evaluation.photo_reading import Reading, SeenPhoto
from accuracy.evaluation.photo_sets import LeftOut, Scene
from attendance.gallery.gallery import Gallery


@dataclass(frozen=True, slots=True)
class SceneResult:
    """One photo."""

    photo: str
    faces: int
    named: dict[str, float]
    """Whom the product names, and the distance."""
    expected: frozenset[str] | None
    """Enrolled people who are in it; None: nobody said."""

    @property
    def right(self) -> bool | None:
        """Whether exactly the right people are named; None where nobody said who is right."""
        return None if self.expected is None else self.named.keys() == self.expected


def look_at_scenes(
    scenes: Sequence[Scene], reading: Reading, gallery: Gallery, rule: Rule | None, left_out: list[LeftOut]
) -> list[SceneResult]:
    """Name the faces of each photo; in one photo nobody is named twice.

    Args:
        scenes: the photos.
        reading: has their faces.
        gallery: to search.
        rule: how the product decides; None: no names are given, and the photos are left out.
        left_out: is told of photos that could not be used.
    """
    results = []
    for path, shown, people in scenes:
        seen = reading.photos.get(path)
        if seen is None:
            continue
        if seen.problem or not seen.faces:
            left_out.append(LeftOut(shown, seen.fault))
        elif rule is None or any(len(face.encoding) != gallery.encoding_size for face in seen.faces):
            left_out.append(LeftOut(shown, "it lies in no person's folder"))
        else:
            expected = None if people is None else people & frozenset(gallery.identities)
            results.append(SceneResult(shown, len(seen.faces), _name(seen, gallery, rule), expected))
    return results


def _name(seen: SeenPhoto, gallery: Gallery, rule: Rule) -> dict[str, float]:
    probes = np.stack([face.encoding for face in seen.faces]).astype(np.float32)
    named: dict[str, float] = {}
    for found in gallery.nearest(probes, count=2):
        person, _ = rule.name(found)
        if person is not None:
            named[person] = min(found[0].distance, named.get(person, np.inf))
    return named
