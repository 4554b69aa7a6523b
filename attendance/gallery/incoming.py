"""An index that comes from another machine: checked bit by bit, and published beside the one in use or not at all.

What has come lies in `<folder>/.incoming`, laid out as an index of its own, so that it is checked by what loads any
index. What was received before a connection broke or a program was killed is gone on with, as long as the same version
is offered. Whatever is wrong, the index in use stays, and what is refused is named.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from attendance.gallery.files import locked, sizes_of, sync, write_durably
from attendance.gallery.format import load_gallery, read_manifest
from attendance.gallery.gallery import GalleryError
from attendance.gallery.manifest import Manifest
from attendance.gallery.offering import Chunk, Offer
from attendance.gallery.versions import (
    INCOMING,
    LOCK,
    MANIFEST,
    VERSIONS,
    current_version,
    delete_older_versions,
    is_version,
    make_current,
    number_of,
    put_in_place,
    read_pointer,
    versions_of,
)
from attendance.private_files import PRIVATE_FILE, make_private_folder

_FILE = re.compile(r"[a-z][a-z0-9_]*\.[a-z]+")
_SLACK_BYTES = 100_000_000
"""Left free on the disk: the database's and the outbox's share."""
_MOST_FILES = 8


class IndexRefusedError(GalleryError):
    """An index from another machine is not taken; the message names it and says why."""


class IncomingIndex:
    """What comes into one folder of published indexes. One program at a time: the caller holds a lock of its own."""

    def __init__(self, folder: Path) -> None:
        """Prepare.

        Args:
            folder: of the published indexes; made if need be.

        Raises:
            OSError: it cannot be made.
        """
        self._folder = folder
        self._place = folder / INCOMING
        make_private_folder(folder)
        make_private_folder(folder / VERSIONS)

    @property
    def partial(self) -> tuple[str, dict[str, int]]:
        """The version of which a part has come, and how many bytes of each file; "" where there is none."""
        try:
            version = current_version(self._place)
            if version is None:
                return "", {}
            files = [path.name for path in (self._place / VERSIONS / version).iterdir() if path.name != MANIFEST]
            return version, sizes_of(self._place / VERSIONS / version, files)
        except (GalleryError, OSError):
            return "", {}

    def begin(self, offer: Offer, *, usable: Callable[[Manifest], str | None]) -> bool:
        """Look at an offer.

        Args:
            offer: what the other machine says.
            usable: given the manifest, why such an index cannot be used here; None: it can.

        Returns:
            Whether its files are wanted: not when it is the one in use.

        Raises:
            IndexRefusedError: it is none, older than the one in use, cannot be used, or the disk has no room for it.
            OSError: the disk refuses.
        """
        try:
            manifest = _checked_manifest(offer)
            if self._is_in_use(offer):
                self.discard()
                return False
            self._require_newer(offer)
            problem = usable(manifest)
            if problem is not None:
                raise IndexRefusedError(f"index {offer.version} is not taken: {problem}")
            if not self._goes_on(offer):
                self.discard()
            self._require_room(offer)
        except IndexRefusedError:
            self.discard()
            raise
        version = self._place / VERSIONS / offer.version
        for folder in (self._place, version.parent, version):
            make_private_folder(folder)
        write_durably(version / MANIFEST, offer.manifest)
        make_current(self._place, offer.version, offer.sha256)
        return True

    def take(self, offer: Offer, chunk: Chunk) -> None:
        """Add a chunk to its file.

        Raises:
            IndexRefusedError: it is damaged, none of the offer, or not the next one.
            OSError: the disk refuses.
        """
        size = offer.files.get(chunk.file)
        if size is None or chunk.offset + len(chunk.data) > size:
            raise IndexRefusedError(f"index {offer.version}: {chunk.file!r} gets more than was offered")
        if hashlib.sha256(chunk.data).digest() != chunk.sha256:
            raise IndexRefusedError(f"index {offer.version}: a chunk of {chunk.file} is damaged (wrong SHA-256)")
        path = self._place / VERSIONS / offer.version / chunk.file
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)
        with os.fdopen(handle, "ab") as file:
            if file.tell() != chunk.offset:
                raise IndexRefusedError(f"index {offer.version}: a chunk of {chunk.file} is missing")
            file.write(chunk.data)

    def finish(self, offer: Offer) -> None:
        """Check everything that came, make it the current version, and delete those before it.

        Those of before go at once: whoever was erased since is in them. Services that have one in memory go on with it.

        Raises:
            IndexRefusedError: it was cut short, and the rest may come later; or it is damaged, and begun anew.
            OSError: the disk refuses.
        """
        _, received = self.partial
        for name, size in offer.files.items():
            if received.get(name, 0) != size:
                raise IndexRefusedError(
                    f"index {offer.version} is cut short: {name} has {received.get(name, 0):,} of {size:,} bytes"
                )
        version = self._place / VERSIONS / offer.version
        try:
            load_gallery(self._place)  # every bit, as any index is loaded
        except GalleryError as error:
            self.discard()
            raise IndexRefusedError(f"what came from the other machine is not taken: {error}") from None
        for path in version.iterdir():
            sync(path)
        with locked(self._folder / LOCK):
            self._require_newer(offer)
            if (self._folder / VERSIONS / offer.version).exists():  # CURRENT was damaged
                shutil.rmtree(self._folder / VERSIONS / offer.version)
            put_in_place(self._folder, version, offer.version)
            make_current(self._folder, offer.version, offer.sha256)
        delete_older_versions(self._folder)

    def _goes_on(self, offer: Offer) -> bool:
        """Whether what has come is the beginning of exactly this."""
        version, received = self.partial
        return (
            version == offer.version
            and read_pointer(self._place) == (offer.version, offer.sha256)
            and all(size <= offer.files.get(name, -1) for name, size in received.items())
        )

    def _require_room(self, offer: Offer) -> None:
        missing = sum(offer.files.values()) - sum(self.partial[1].values())
        free = shutil.disk_usage(self._folder).free
        if missing + _SLACK_BYTES > free:
            raise IndexRefusedError(
                f"index {offer.version} is not taken: {missing:,} bytes of it are to come, and {free:,} are free in "
                f"{self._folder}, of which {_SLACK_BYTES:,} stay free"
            )

    def discard(self) -> None:
        """Delete what came of a version that is not complete."""
        if self._place.exists():
            shutil.rmtree(self._place)

    def _is_in_use(self, offer: Offer) -> bool:
        """Whether exactly this is the current version, its manifest whole."""
        try:
            return current_version(self._folder) == offer.version and read_manifest(self._folder) is not None
        except GalleryError:
            return False  # mended by what comes

    def _require_newer(self, offer: Offer) -> None:
        """An older one would bring back whoever was erased since, and take away whoever was enrolled."""
        newest = max((path.name for path in versions_of(self._folder)), key=number_of, default=offer.version)
        anew = f"If the machine with the store was set up anew, delete {self._folder} and start the service again"
        if number_of(offer.version) < number_of(newest):
            raise IndexRefusedError(
                f"index {offer.version} is not taken: it is older than {newest}, which is here. {anew}"
            )
        if number_of(offer.version) == number_of(newest) and offer.version != newest:
            raise IndexRefusedError(
                f"index {offer.version} is not taken: {newest}, which is here, has the same number. {anew}"
            )


def _checked_manifest(offer: Offer) -> Manifest:
    """The manifest of an offer, which says of itself only what it can know.

    Raises:
        IndexRefusedError: it is none, or the offer is not what it says.
    """
    if not is_version(offer.version):
        raise IndexRefusedError(f"{offer.version[:80]!r} is no version of an index")
    if hashlib.sha256(offer.manifest).hexdigest() != offer.sha256:
        raise IndexRefusedError(f"index {offer.version}: its manifest is damaged (wrong SHA-256)")
    try:
        manifest = Manifest.from_json(offer.manifest)
    except ValueError as error:
        raise IndexRefusedError(f"index {offer.version}: its manifest cannot be used: {error}") from None
    if manifest.version != offer.version:
        raise IndexRefusedError(f"index {offer.version}: its manifest is that of {manifest.version[:80]!r}")
    wrong = [name for name in manifest.files if not _FILE.fullmatch(name) or name == MANIFEST]
    if wrong or len(manifest.files) > _MOST_FILES or set(manifest.files) != set(offer.files):
        raise IndexRefusedError(f"index {offer.version}: the files offered are not those of its manifest")
    return manifest
