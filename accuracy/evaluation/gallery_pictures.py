"""Pictures of a store's students for the report: the photos that they were enrolled with, where those still lie."""

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from accuracy.evaluation.searching import Sample
from attendance.face_engine.interface import ImageError
from attendance.face_engine.photos import decode_photo
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import Store
from index_builder.photos.judging import make_thumbnail
from index_builder.photos.sources import read_photo

_MOST_PIXELS = 80_000_000
_SHOWN_PIXELS = 400_000


def find_pictures(store: Store, people: Collection[str]) -> dict[str, list[Sample]]:
    """The encodings of some people in use, each with the photo it was made from if that is still the same file.

    Args:
        store: says where photos lay.
        people: whose pictures are wanted; those who are not in the store are passed over.
    """
    return {
        person: [
            Sample(
                person,
                origin.path or origin.source or person,
                row.astype(np.float32),
                _thumbnail(origin),
                origin.photo_sha256 or "",
            )
            for row, origin in zip(store.encodings[person], store.provenance[person], strict=True)
            if not origin.set_aside
        ]
        for person in people
        if person in store.encodings
    }


def _thumbnail(origin: Provenance) -> bytes | None:
    """The whole photo, small; None where it is gone or another file now."""
    if not origin.path or origin.photo_sha256 is None:
        return None
    try:
        data = read_photo(Path(origin.path))
        if hashlib.sha256(data).hexdigest() != origin.photo_sha256:
            return None
        image = decode_photo(data, max_pixels=_MOST_PIXELS, shrink_above=_SHOWN_PIXELS)
    except ImageError:
        return None
    return make_thumbnail(image, None)
