"""Encodings that others made: a face_recognition user's pickle, into the store."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from attendance.gallery.foreign import read_foreign
from attendance.gallery.layouts import LayoutError
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import (
    DEFAULT_MODEL,
    ENCODING_SIZE,
    MOST_BYTES,
    Store,
    StoreError,
    read_store,
    update_store,
)
from attendance.gallery.unpickling import UnpicklingError
from attendance.settings.families import FamilyNumbers
from attendance.tables.fields import INDEX_NUMBER, TextRule, compose
from index_builder.enrolment import check_model
from index_builder.photos.comparing import compare_own, find_outliers


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a foreign store holds."""

    store: Store
    """Of those names that can be index numbers, with provenance."""
    unusable: Mapping[str, str]
    """For each other name, why it cannot."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of it."""

    saved: Mapping[str, int]
    """For each student who was saved the number of encodings in use."""
    refused: Mapping[str, str]
    warnings: Sequence[str]
    """Sentences about students whose encodings do not look like one person's."""


def read_import(path: Path, *, now: datetime, rule: TextRule = INDEX_NUMBER) -> Incoming:
    """Read a pickle of encodings, running no code of it.

    Args:
        path: the file; any layout that `read_foreign` takes.
        now: when it is enrolled, where the file does not say.
        rule: what may be an index number here.

    Raises:
        StoreError: it cannot be used at all.
    """
    foreign, unusable = _read(path)
    encodings, provenance = {}, {}
    origin = Provenance(source=f"import:{path.name}"[:300], enrolled_at=now.replace(microsecond=0), model=foreign.model)
    for name, rows in foreign.encodings.items():
        student = compose(name)
        problem = rule.problem(student)
        if problem is not None:
            unusable[name] = problem
            continue
        if student in encodings:
            unusable[name] = f"the file spells the index number {student!r} in two ways; the first counts"
            continue
        encodings[student] = rows
        provenance[student] = [
            replace(origin, photo_sha256=known.photo_sha256, quality=known.quality, set_aside=known.set_aside)
            for known in foreign.provenance[name]
        ]
    return Incoming(Store(encodings, foreign.model, foreign.encoding_size, provenance), unusable)


def _read(path: Path) -> tuple[Store, dict[str, str]]:
    """A store of ours, or a pickle of any layout; and for each of its entries that cannot be used, why."""
    try:
        return read_store(path), {}
    except StoreError:
        data = path.read_bytes() if path.is_file() and path.stat().st_size <= MOST_BYTES else None
        if data is None:
            raise
    try:
        read = read_foreign(data, encoding_size=ENCODING_SIZE)
    except UnpicklingError as error:
        raise StoreError(f"{path} cannot be used: it holds {error}") from error
    except LayoutError as error:
        raise StoreError(f"{path} cannot be used: {error}") from error
    unusable: dict[str, str] = {}
    for name, why in read.left_out:
        unusable[name] = f"{unusable[name]}; {why}" if name in unusable else why
    return Store(read.encodings, read.model or DEFAULT_MODEL), unusable


def merge_import(
    path: Path,
    incoming: Incoming,
    *,
    refused: Mapping[str, str],
    numbers: FamilyNumbers,
    admit: Callable[[Collection[str]], Mapping[str, str]] = lambda _: {},
    dry_run: bool = False,
) -> Imported:
    """Put what was read into the store, in place of what it has of the same students.

    Args:
        path: the store; made if it is missing.
        incoming: what `read_import` gave.
        refused: for each student who may not be enrolled, why.
        numbers: of the models that made the encodings.
        admit: asked when nobody else can write the store: records the consent of those who are about to be saved, and
            says who may not be enrolled any more, and why.
        dry_run: say what would become of them; nothing is written.

    Raises:
        StoreError: the store cannot be used or written, or was made with another model.
    """
    new = incoming.store.without(refused.keys())
    warnings: list[str] = []
    provenance = {}
    for student, rows in new.encodings.items():
        agreement = compare_own(rows, 0, unlike=numbers.unlike_own)
        if agreement.unlike:
            warnings.append(f"{student}: its encodings look like those of different people; enrol it from photos")
        outliers = find_outliers(agreement.medians, smallest_deviation=numbers.smallest_deviation)
        provenance[student] = [
            replace(origin, set_aside=origin.set_aside or place in outliers)
            for place, origin in enumerate(new.provenance[student])
        ]

    gone: Mapping[str, str] = {}

    def merge(store: Store | None) -> Store:
        nonlocal gone
        gone = admit(list(new.encodings))
        if store is None:
            store = Store({}, new.model, new.encoding_size)
        check_model(path, store, new.model)
        kept = new.without(gone.keys())
        return store.with_students(kept.encodings, {student: provenance[student] for student in kept.encodings})

    if new.encodings and not dry_run:
        update_store(path, merge, encoding_size=new.encoding_size)
    saved = {
        student: sum(not origin.set_aside for origin in origins)
        for student, origins in provenance.items()
        if student not in gone
    }
    return Imported(saved, {**refused, **gone}, warnings)
