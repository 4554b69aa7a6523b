"""The photos that a store's encodings were made from, where they still lie: another family has to see them again."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from accuracy.evaluation.photo_sets import Entry, PhotoSet, SetError
from attendance.gallery.store import Store


@dataclass(frozen=True, slots=True)
class KeptPhotos:
    """What is left of a store's photos."""

    photos: PhotoSet
    sha256: Mapping[Path, str]
    """What each file must still hold."""
    without: Mapping[str, int]
    """Why students are not compared, and how many."""

    def lines(self) -> list[str]:
        """Who is left out, in sentences."""
        return [f"Students not compared, {why}: {count:,}." for why, count in self.without.items()]


def find_kept_photos(store: Store, *, without_consent: Collection[str]) -> KeptPhotos:
    """The photos of everybody whose encodings are in use.

    Args:
        store: says where photos lay.
        without_consent: students whose photos are left alone.

    Raises:
        SetError: no photo is left.
    """
    entries: list[Entry] = []
    sha256: dict[Path, str] = {}
    without = Counter[str]()
    for student in store.in_use:
        if student in without_consent:
            without["without consent"] += 1
            continue
        kept = {
            Path(origin.path): origin.photo_sha256
            for origin in store.provenance[student]
            if not origin.set_aside and origin.path and origin.photo_sha256 and Path(origin.path).is_file()
        }
        if not kept:
            without["whose photos are not kept"] += 1
        sha256 |= kept
        entries += [Entry(student, path, str(path)) for path in kept]
    if not entries:
        raise SetError(
            "the families can be compared on photos only, and none of this gallery's is kept: use "
            "`attendance evaluate FOLDER --compare` with photos of people who agree"
        )
    return KeptPhotos(PhotoSet(together=entries), sha256, without)
