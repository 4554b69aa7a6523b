"""Galleries of any size around real encodings: people drawn as the real ones differ, photos as one person's differ.

The real encodings are those of the faces in the demo's pictures. Of two photos of one person only a few pairs are
there, so the directions in which photos and people differ are half theirs and half all directions alike (shrinkage of a
covariance towards a multiple of the identity: Ledoit and Wolf, J. Multivariate Analysis 88, 2004); the lengths are
theirs. Everything follows from the seed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import FaceEngine
from operations.demo.pictures import fetch_pictures

SEED = 20260301
PHOTOS = 5
"""Encodings of one person."""

_LARGEST = 100_000_000
_SHRINKAGE = 0.5
# Photos of one person; every other face is somebody else.
_SAME_PERSON = ("obama.jpg", "obama2.jpg", "obama3.jpg", "obama_partial_face.jpg", "obama_partial_face2.jpg")
_CHUNK = 100_000


@dataclass(frozen=True, slots=True)
class People:
    """How people and photos are distributed."""

    centre: NDArray[np.float64]
    between: NDArray[np.float64]
    """Square root of the covariance between people, shape (d, d)."""
    within: NDArray[np.float64]
    """The same between photos of one person."""
    faces: int
    """Real ones measured."""

    def draw(self, encodings: int, seed: int = SEED) -> NDArray[np.float32]:
        """A gallery of so many encodings, PHOTOS of each person one after the other (the last may have fewer)."""
        random = np.random.default_rng([seed, encodings])
        rows = np.empty((encodings, len(self.centre)), np.float32)
        for start in range(0, encodings, _CHUNK):
            part = rows[start : start + _CHUNK]
            people = self.strangers(-(-len(part) // PHOTOS), random)
            part[:] = np.repeat(people, PHOTOS, axis=0)[: len(part)]
            part += _normal(random, len(part), self.within)
        return rows

    def strangers(self, count: int, random: np.random.Generator) -> NDArray[np.float32]:
        """People who are in no gallery, one encoding each without a photo's own deviation."""
        found: NDArray[np.float32] = _normal(random, count, self.between) + self.centre.astype(np.float32)
        return found

    def further_photos(self, rows: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
        """Another photo of the person of each row of a gallery: as far from it as two photos of one person are."""
        found: NDArray[np.float32] = rows + np.float32(2**0.5) * _normal(random, len(rows), self.within)
        return found


def measure_people(engine: FaceEngine) -> People:
    """Encode the faces of the demo's pictures and see how they differ."""
    folder = fetch_pictures(print)
    same: list[NDArray[np.float64]] = []
    others: list[NDArray[np.float64]] = []
    for path in sorted(folder.glob("*.*g")):
        (faces,) = find_faces(engine, [decode_image(path.read_bytes(), max_pixels=_LARGEST)], upsample=0)
        encodings = [np.asarray(face.encoding, np.float64) for face in faces]
        (same if path.name in _SAME_PERSON else others).extend(
            encodings[:1] if path.name in _SAME_PERSON else encodings
        )
    photos = np.array(same)
    people = np.array([photos.mean(axis=0), *others])
    return People(people.mean(axis=0), _root(people), _root(photos), faces=len(same) + len(others))


def _root(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = np.cov(samples, rowvar=False)
    size = len(covariance)
    covariance = (1 - _SHRINKAGE) * covariance + _SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    found: NDArray[np.float64] = np.linalg.cholesky(covariance)
    return found


def _normal(random: np.random.Generator, count: int, root: NDArray[np.float64]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = random.standard_normal((count, len(root)), np.float32) @ root.T.astype(np.float32)
    return found
