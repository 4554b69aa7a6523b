"""Who looks at photos: this process, one after the other, or others that look at several ahead."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from attendance.face_engine.interface import FaceEngine, ImageError
from attendance.settings.families import FamilyNumbers
from index_builder.photos.judging import look_at
from index_builder.photos.sources import read_photo
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict


class Looks(Protocol):
    """Looks at photos."""

    def ahead(self, photos: Iterable[tuple[str, Path]]) -> None:
        """These are asked for next, by names and paths, in this order, but for some that are not."""
        ...

    def look_at(self, name: str, path: Path) -> PhotoVerdict:
        """Judge one photo by itself.

        Raises:
            EngineError: the engine itself fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class OwnLooks:
    """Looks here and now."""

    engine: FaceEngine
    max_pixels: int
    numbers: FamilyNumbers
    accept: Collection[PhotoOutcome]

    def ahead(self, photos: Iterable[tuple[str, Path]]) -> None:
        """See `Looks.ahead`: nothing is done before it is asked for."""

    def look_at(self, name: str, path: Path) -> PhotoVerdict:
        """See `Looks.look_at`."""
        try:
            data = read_photo(path)
        except ImageError as error:
            return PhotoVerdict(name, PhotoOutcome.UNREADABLE, str(error))
        return look_at(self.engine, name, data, max_pixels=self.max_pixels, numbers=self.numbers, accept=self.accept)
