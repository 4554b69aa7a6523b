"""The published index as it is given to another machine: an offer, then its files in chunks, each with a checksum."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from attendance.gallery.files import sizes_of
from attendance.gallery.format import manifest_of
from attendance.gallery.gallery import GalleryError
from attendance.gallery.versions import VERSIONS, is_version, read_pointer

CHUNK_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class Offer:
    """A version that is published somewhere. Nothing of it is believed before `attendance.gallery.incoming` checked it.

    Attributes:
        version: its name.
        manifest: its manifest, byte for byte.
        sha256: of the manifest, hexadecimal.
        files: the size of each file, bytes, in the order in which they are given.
    """

    version: str
    manifest: bytes
    sha256: str
    files: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a file of an index.

    Attributes:
        file: its name.
        offset: where in the file it begins, bytes.
        data: the bytes: biometric.
        sha256: of the bytes.
    """

    file: str
    offset: int
    data: bytes = field(repr=False)
    sha256: bytes = field(repr=False)


def offer_of(folder: Path) -> Offer | None:
    """What is published in a folder; None: nothing yet.

    Raises:
        GalleryError: its manifest or a file is missing or damaged.
    """
    pointer = read_pointer(folder)
    if pointer is None:
        return None
    version, sha256 = pointer
    manifest, data = manifest_of(folder, version, sha256)
    try:
        return Offer(version, data, sha256, sizes_of(folder / VERSIONS / version, sorted(manifest.files)))
    except OSError as error:
        raise GalleryError(f"index {version}: cannot read it: {error.strerror}") from None


def chunks_of(
    folder: Path, offer: Offer, received: Mapping[str, int], *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[Chunk]:
    """The files of an offer, one after the other.

    Args:
        folder: in which it is published.
        offer: as `offer_of` gave it.
        received: bytes of each file that the other side has, from its start.
        chunk_bytes: of a chunk at most.

    Raises:
        GalleryError: it cannot be read any more, or another version was published meanwhile, without a student perhaps.
    """
    if not is_version(offer.version):
        raise GalleryError(f"{offer.version!r} is no version of an index")
    for name, size in offer.files.items():
        try:
            with (folder / VERSIONS / offer.version / name).open("rb") as file:
                offset = file.seek(min(received.get(name, 0), size))
                while data := file.read(chunk_bytes):
                    _require_current(folder, offer.version)
                    yield Chunk(name, offset, data, hashlib.sha256(data).digest())
                    offset += len(data)
        except OSError as error:
            _require_current(folder, offer.version)
            raise GalleryError(f"index {offer.version}: cannot read {name}: {error.strerror}") from None


def _require_current(folder: Path, version: str) -> None:
    pointer = read_pointer(folder)
    if pointer is None or pointer[0] != version:
        raise GalleryError(f"a newer index than {version} was published meanwhile; ask again")
