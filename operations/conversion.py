"""Taking a gallery from one family of models to another: every kept photo is encoded anew, into a second store.

Encodings of one family say nothing about those of another, so photos are needed. Where they lie is in the store; a file
that is gone or holds something else by now is none. The store in use stays in use until the second one is complete, or
until somebody is content with a part; then they change places and the index is published. What happens to files and
what an interruption leaves is described in `attendance.gallery.conversion`: the same command goes on from anywhere.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from attendance.face_engine.interface import FaceEngine, ImageError
from attendance.gallery.conversion import change_stores, store_of_family, stores_beside
from attendance.gallery.files import locked
from attendance.gallery.provenance import Provenance
from attendance.gallery.publishing import BuiltIndex, build_index
from attendance.gallery.store import Store, StoreError, read_store
from attendance.settings.families import Family, FamilyNumbers, family_of, traits_of
from index_builder.enrolment import FORGIVABLE, Enroller, check_model
from index_builder.photos.looks import Looks, OwnLooks
from index_builder.photos.sources import Photos, read_photo
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class ConversionTools:
    """What is converted, and by what."""

    store_path: Path
    index_path: Path
    engine: FaceEngine
    """Of the family wanted."""
    numbers: FamilyNumbers
    """Of the same."""
    max_pixels: int
    """Of the largest image that the engine takes."""
    without_consent: Callable[[Collection[str]], Collection[str]]
    """Those of the students who have not consented, or not any more; their photos are left alone."""
    looks: Looks | None = None
    """Who looks at the photos; None: the engine, here."""

    @property
    def family(self) -> Family:
        """The family wanted."""
        return family_of(self.engine.info.model)


@dataclass(slots=True)
class Conversion:
    """How far a conversion came."""

    second: Path
    """The store of the family wanted; once published the store in use."""
    encodings: dict[str, int] = field(default_factory=dict)
    """For each student of either store the number of encodings in use in the family wanted; 0 for who lacks photos."""
    needed: dict[str, str] = field(default_factory=dict)
    """For each student of whom new photos are needed, why."""
    left_out: list[str] = field(default_factory=list)
    """Students without consent, whose encodings are not taken along."""
    interrupted: bool = False
    """Whether somebody stopped the work; what was done until then is saved."""
    built: BuiltIndex | None = None
    """The index that was published; None: the conversion is not complete."""
    kept: Path | None = None
    """The former store, kept for the students of whom new photos are needed."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Who is told how it goes."""

    begins: Callable[[int, int], None] = lambda _photos, _encoded: None
    """Told how many photos there are, and how many of them an earlier run has encoded."""
    verdict: Callable[[str, PhotoVerdict], None] = lambda _student, _verdict: None
    """Told the student and what became of a photo."""
    photo_done: Callable[[], None] = lambda: None


def convert(gallery: ConversionTools, *, partial: bool = False, telling: Telling | None = None) -> Conversion:
    """Convert a gallery, or go on with a conversion; whoever else converts it is waited for.

    Args:
        gallery: what, and by what.
        partial: publish although new photos are needed of some.
        telling: told how it goes.

    Raises:
        StoreError: a store cannot be read or written; the one in use stays.
        GalleryError: the index cannot be published. Ask for the conversion again.
        EngineError: the engine itself fails; what was done until then is saved.
    """
    path = gallery.store_path
    read_store(path)  # says what is wrong with it, and makes no file
    try:
        with locked(path.with_name(f".{path.name}.converting.lock")):
            while True:
                conversion = _attempt(gallery, partial=partial, telling=telling or Telling())
                if conversion is not None:
                    return conversion
    except OSError as error:
        raise StoreError(f"cannot convert the store {path}: {error.strerror}") from error


def _attempt(gallery: ConversionTools, *, partial: bool, telling: Telling) -> Conversion | None:
    """Convert, and publish; None: the store in use was changed meanwhile, so that there is more to do."""
    source, target = _stores(gallery)
    if source is None:
        return _publish(gallery, Conversion(target), None)
    store = read_store(source)
    conversion = _encode(gallery, store, target, telling)
    if conversion.interrupted or (conversion.needed and not partial) or not any(conversion.encodings.values()):
        return conversion
    if target != gallery.store_path:
        former = store_of_family(gallery.store_path, family_of(store.model))
        before = _photos_of(store)
        if not change_stores(gallery.store_path, target, former, unchanged=lambda now: _photos_of(now) == before):
            return None
        source = former
    return _publish(gallery, conversion, source)


def _stores(gallery: ConversionTools) -> tuple[Path | None, Path]:
    """The store to convert and the one that it becomes; None: there is nothing left to convert."""
    path = gallery.store_path
    if read_store(path).model != gallery.engine.info.model:
        return path, store_of_family(path, gallery.family)
    own = store_of_family(path, gallery.family)
    return next((other for other in stores_beside(path) if other != own), None), path


def _photos_of(store: Store) -> Mapping[str, tuple[str | None, ...]]:
    return {student: tuple(one.photo_sha256 for one in origins) for student, origins in store.provenance.items()}


def _encode(gallery: ConversionTools, store: Store, target: Path, telling: Telling) -> Conversion:
    """Encode the photos that are kept and not yet encoded."""
    done = read_store(target) if target.exists() else None
    if done is not None:
        check_model(target, done, gallery.engine.info.model)
    conversion = Conversion(target)
    consenting = store.encodings.keys() - gallery.without_consent(list(store.encodings))
    conversion.left_out = [student for student in store.encodings if student not in consenting]
    kept: dict[str, list[Path]] = {}
    origins: dict[Path, Provenance] = {}
    encoded: dict[Path, PhotoVerdict] = {}
    for student in store.encodings:
        if student not in consenting:
            continue
        found = {Path(one.path): one for one in store.provenance[student] if _is_kept(one)}
        if found and not _is_done(store, done, student):
            kept[student] = list(found)
            origins |= found
            encoded |= _encoded_of(done, student, found)
        elif not found:
            conversion.needed[student] = _why_not_kept(store.provenance[student])
    photos = Photos(_ROOT, kept, source="conversion", origins=origins)
    telling.begins(photos.count, len(encoded))
    # Somebody looked at the photos when they were enrolled: faults of quality are no news.
    enroller = Enroller(
        gallery.engine,
        target,
        photos,
        max_pixels=gallery.max_pixels,
        numbers=gallery.numbers,
        allow=lambda students: dict.fromkeys(gallery.without_consent(students), "there is no consent"),
        accept=FORGIVABLE,
        tell=telling.verdict,
        advance=telling.photo_done,
        looks=_LooksOnce(
            gallery.looks or OwnLooks(gallery.engine, gallery.max_pixels, gallery.numbers, FORGIVABLE), encoded
        ),
    )
    conversion.interrupted = enroller.run().interrupted
    _count(conversion, consenting, target, enroller.result.verdicts)
    return conversion


def _is_kept(origin: Provenance) -> bool:
    return bool(origin.path) and origin.photo_sha256 is not None and Path(origin.path).is_file()


def _why_not_kept(origins: Collection[Provenance]) -> str:
    gone = [origin.path for origin in origins if origin.path]
    return f"the photos are gone, for example {gone[0]}" if gone else "no photos were kept"


def _is_done(store: Store, done: Store | None, student: str) -> bool:
    """Whether all photos were taken along, or somebody has enrolled the student from others since."""
    if done is None or student not in done.encodings:
        return False
    before = {origin.photo_sha256 for origin in store.provenance[student]}
    after = {origin.photo_sha256 for origin in done.provenance[student]}
    return before == after or not after <= before


@dataclass(frozen=True, slots=True)
class _LooksOnce:
    """Looks at what is not encoded yet; what is encoded is only held against the student's other photos again."""

    looks: Looks
    encoded: Mapping[Path, PhotoVerdict]

    def ahead(self, photos: Iterable[tuple[str, Path]]) -> None:
        """See `Looks.ahead`."""
        self.looks.ahead((name, path) for name, path in photos if path not in self.encoded)

    def look_at(self, name: str, path: Path) -> PhotoVerdict:
        """See `Looks.look_at`."""
        verdict = self.encoded.get(path)
        if verdict is None:
            return self.looks.look_at(name, path)
        try:
            return replace(verdict, name=name, sha256=hashlib.sha256(read_photo(path)).hexdigest())
        except ImageError as error:
            return PhotoVerdict(name, PhotoOutcome.UNREADABLE, str(error))


def _encoded_of(done: Store | None, student: str, found: Mapping[Path, Provenance]) -> dict[Path, PhotoVerdict]:
    """Those of a student's photos that an earlier run took along, some others of whom could not be used."""
    if done is None or student not in done.encodings:
        return {}
    taken = {
        origin.photo_sha256: PhotoVerdict("", PhotoOutcome.OK, encoding=row, quality=origin.quality)
        for origin, row in zip(done.provenance[student], done.encodings[student], strict=True)
    }
    return {path: taken[one.photo_sha256] for path, one in found.items() if one.photo_sha256 in taken}


def _count(
    conversion: Conversion,
    consenting: Collection[str],
    target: Path,
    verdicts: Mapping[str, Collection[PhotoVerdict]],
) -> None:
    in_use = read_store(target).in_use if target.exists() else {}
    conversion.encodings = {student: len(rows) for student, rows in in_use.items()}
    for student in consenting:
        if conversion.encodings.setdefault(student, 0):
            conversion.needed.pop(student, None)
        elif student not in conversion.needed and not conversion.interrupted:
            reasons = [f"{_ROOT / one.name}: {one.detail or one.outcome}" for one in verdicts.get(student, ())]
            conversion.needed[student] = "; ".join(reasons) or "no photo can be used"


def _publish(gallery: ConversionTools, conversion: Conversion, former: Path | None) -> Conversion:
    """Publish the index, and delete the former store unless somebody in it is not converted yet."""
    conversion.built = build_index(gallery.store_path, gallery.index_path, traits_of=traits_of, other_family=True)
    conversion.second = gallery.store_path
    if former is not None and conversion.needed:
        conversion.kept = former
    elif former is not None:
        former.unlink(missing_ok=True)
    return conversion
