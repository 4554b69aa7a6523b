"""Photos in, encodings out, in batches: by the configured engine, or by a plugged-in model on what the engine finds."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from accuracy.evaluation.embedding_model import EmbeddingModel
from accuracy.evaluation.photo_sets import LeftOut
from attendance.face_engine.faces import find_faces
from attendance.face_engine.interface import Face, FaceEngine, Image, ImageError
from attendance.face_engine.photos import decode_photo
from attendance.settings.families import BUILT_IN, DLIB, family_of
from index_builder.photos.judging import make_thumbnail
from index_builder.photos.sources import read_photo
from index_builder.photos.upright import find_upright

_Decoded = tuple[Image | None, str, str]
_Pending = tuple[Path, str, Future[_Decoded]]
OneFace = Callable[[Path, Image, Face], None]
"""Told of a photo of exactly one face that is surely one: its file, the picture as it was looked at, and the face."""

_BATCH = 8
# What phones take today; enrolment draws the same lines.
_MOST_PIXELS = 80_000_000
_WORKED_ON_PIXELS = 2_500_000


@dataclass(frozen=True, slots=True, eq=False)
class PhotoFace:
    """One face of a photo."""

    encoding: NDArray[np.float32]
    thumbnail: bytes
    certain: bool = True
    """Whether it would count as a face in an enrolment photo; frames are searched for less certain ones too."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenPhoto:
    """One photo as it was read."""

    shown: str
    faces: Sequence[PhotoFace] = ()
    """Best first."""
    sha256: str = ""
    problem: str = ""
    """Why it could not be read or worked on; empty: it could."""

    def unless_changed(self, sha256: str) -> "SeenPhoto":
        """The photo, or one that cannot be used, if it is another file than that."""
        return self if self.problem or self.sha256 == sha256 else replace(self, problem="another file by now")

    @property
    def fault(self) -> str:
        """Why it is no photo of one person, or empty."""
        if self.problem:
            return self.problem
        count = len(self.certain)
        if count == 1:
            return ""
        return f"{count} faces; the person must be alone" if count else "no face"

    @property
    def certain(self) -> Sequence[PhotoFace]:
        """The faces that count where somebody must be alone."""
        return [face for face in self.faces if face.certain]


@dataclass(slots=True)
class Reading:
    """What was read so far."""

    photos: dict[Path, SeenPhoto] = field(default_factory=dict)
    interrupted: bool = False

    def usable(self, path: Path, shown: str, left_out: list[LeftOut]) -> SeenPhoto | None:
        """A photo of exactly one face; otherwise None, and why is noted."""
        seen = self.photos.get(path)
        if seen is None:
            return None
        if seen.fault:
            left_out.append(LeftOut(shown, seen.fault))
            return None
        return seen


class PhotoReader:
    """Reads photos in batches; a bad one never stops the others."""

    def __init__(
        self,
        engine: FaceEngine,
        *,
        max_pixels: int,
        embedding: EmbeddingModel | None = None,
        advance: Callable[[int], None] = lambda _count: None,
        one_face: OneFace | None = None,
    ) -> None:
        """Prepare.

        Args:
            engine: finds the faces, and encodes them unless a model is given.
            max_pixels: the largest image that the engine takes.
            embedding: encodes in the engine's place.
            advance: told how many photos were just done.
            one_face: told of each photo of exactly one face.
        """
        self._engine = engine
        self._photo_score = BUILT_IN.get(family_of(engine.info.model), DLIB).photo_score
        self._shrink_above = min(max_pixels, _WORKED_ON_PIXELS)
        self._embedding = embedding
        self._advance = advance
        self._one_face = one_face

    def read(self, paths: Sequence[tuple[Path, str]]) -> Reading:
        """Read photos, each with the name it is shown by; Ctrl-C keeps what is done.

        Raises:
            EngineError: the engine itself fails, or the plugged-in model does.
        """
        reading = Reading()
        wanted = dict(paths)
        with ThreadPoolExecutor(2) as pool:
            try:
                rest = iter(wanted.items())
                ahead = self._submit(pool, rest)
                while ahead:
                    # The next batch is decoded while the engine works on this one.
                    batch, ahead = ahead, self._submit(pool, rest)
                    decoded = [(path, shown, *pending.result()) for path, shown, pending in batch]
                    for path, seen in self._look_at(decoded):
                        reading.photos[path] = seen
                    self._advance(len(batch))
            except KeyboardInterrupt:
                reading.interrupted = True
                pool.shutdown(wait=False, cancel_futures=True)
        return reading

    def _submit(self, pool: ThreadPoolExecutor, rest: Iterator[tuple[Path, str]]) -> list[_Pending]:
        return [(path, shown, pool.submit(self._decode, path)) for path, shown in islice(rest, _BATCH)]

    def _decode(self, path: Path) -> _Decoded:
        """The picture or None, the file's SHA-256, and what is wrong with it."""
        try:
            data = read_photo(path)
        except ImageError as error:
            return None, "", str(error)
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            image = decode_photo(data, max_pixels=_MOST_PIXELS, shrink_above=self._shrink_above)
        except ImageError as error:
            return None, sha256, str(error)
        return image, sha256, ""

    def _look_at(self, decoded: Sequence[tuple[Path, str, Image | None, str, str]]) -> Iterator[tuple[Path, SeenPhoto]]:
        images = [image for _, _, image, _, _ in decoded if image is not None]
        found = iter(self._find(images))
        for path, shown, image, sha256, problem in decoded:
            if image is None:
                yield path, SeenPhoto(shown, sha256=sha256, problem=problem)
                continue
            looked_at = next(found)
            if isinstance(looked_at, str):
                yield path, SeenPhoto(shown, sha256=sha256, problem=looked_at)
            else:
                image, faces = looked_at  # noqa: PLW2901 - as it is upright
                seen = [
                    PhotoFace(face.encoding, make_thumbnail(image, face), face.score >= self._photo_score)
                    for face in faces
                ]
                certain = [face for face in faces if face.score >= self._photo_score]
                if self._one_face is not None and len(certain) == 1:
                    self._one_face(path, image, certain[0])
                yield path, SeenPhoto(shown, seen, sha256)

    def _find(self, images: Sequence[Image]) -> list[tuple[Image, list[Face]] | str]:
        """Each image, turned upright, and its faces; or what is wrong with it."""
        if not images:
            return []
        try:
            return list(self._faces(images))
        except ImageError as error:
            if len(images) == 1:
                return [str(error)]
        return [one for image in images for one in self._find([image])]

    def _faces(self, images: Sequence[Image]) -> list[tuple[Image, list[Face]]]:
        upright, found = [], []
        for image, faces in zip(images, find_faces(self._engine, images), strict=True):
            photo = find_upright(self._engine, image, self._photo_score, faces=faces)
            upright.append(photo.image)
            found.append(list(photo.faces) if photo.turned else faces)
        if self._embedding is not None:
            found = self._embedding.encode_faces(self._engine, upright, found)
        return list(zip(upright, found, strict=True))
