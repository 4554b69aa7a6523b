"""From photos to the store: student after student, saved as it goes, with a verdict on every photo."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.interface import FaceEngine
from attendance.gallery.gallery import Gallery
from attendance.gallery.provenance import Provenance
from attendance.gallery.store import Store, StoreError, read_store, update_store
from attendance.settings.families import Family, FamilyNumbers, family_of
from index_builder.photos.comparing import BatchOthers, GalleryOthers
from index_builder.photos.judging import FORGIVABLE, Known, compare, judge_and_encode
from index_builder.photos.looks import Looks, OwnLooks
from index_builder.photos.sources import Photos, hashes_of
from index_builder.photos.verdicts import PhotoOutcome, PhotoVerdict

__all__ = ["FORGIVABLE", "Enroller", "EnrolmentResult", "check_model", "judge_and_encode", "origin_of"]

_SAVE_EVERY_S = 60.0
"""Writing a campus's store takes seconds; a minute of photos is what a crash may cost."""

Tell = Callable[[str, PhotoVerdict], None]
"""Told the student and the verdict on a photo."""
Allow = Callable[[Collection[str]], Mapping[str, str]]
"""For each of the students who may not be enrolled, why."""


@dataclass(slots=True)
class EnrolmentResult:
    """What became of all photos."""

    verdicts: dict[str, list[PhotoVerdict]] = field(default_factory=dict)
    """For each student who was reached, in order."""
    misplaced: Sequence[PhotoVerdict] = ()
    """Files, folders and lines that cannot be used."""
    saved: dict[str, int] = field(default_factory=dict)
    """For each student who was saved the number of encodings in use."""
    passed_over: dict[str, int] = field(default_factory=dict)
    """For each student whose photos are enrolled already, and who was passed over, the number of encodings in use."""
    interrupted: bool = False
    """Whether somebody stopped the work; what was done until then is saved."""

    @property
    def unchanged(self) -> list[str]:
        """Students who were passed over."""
        return list(self.passed_over)

    @property
    def without(self) -> list[str]:
        """Students of whom no photo was good."""
        return [student for student in self.verdicts if not self.saved.get(student)]

    def count(self, *outcomes: PhotoOutcome) -> int:
        """How many photos, files and lines had one of the outcomes."""
        every = [*self.misplaced, *(verdict for verdicts in self.verdicts.values() for verdict in verdicts)]
        return sum(verdict.outcome in outcomes for verdict in every)

    @property
    def refused(self) -> int:
        """How many photos, files and lines gave no encoding."""
        return self.count(*(outcome for outcome in PhotoOutcome if not outcome.gives_encoding))


@dataclass(slots=True)
class Enroller:
    """Puts photos into a store, once.

    A student enrolled again has the new encodings only; one without a good photo keeps what was there.
    """

    engine: FaceEngine
    """Finds and encodes the faces, upsampling as it was set up."""
    store_path: Path
    """Made if it is missing."""
    photos: Photos
    _: KW_ONLY
    max_pixels: int
    """Of the largest image that the engine takes."""
    numbers: FamilyNumbers
    """Of the engine's family of models."""
    allow: Allow
    """Asked for all students before the work, and again before those who have a good photo are saved: consent may be
    withdrawn meanwhile. Where it raises, nothing more is saved, and `result` tells what was."""
    admit: Allow | None = None
    """Asked in its place the second time, where consent is recorded then; never for who has no good photo."""
    dry: bool = False
    """Judge the photos and save nothing."""
    accept: Collection[PhotoOutcome] = ()
    """As for `judge_and_encode`."""
    tell: Tell = lambda _student, _verdict: None
    """Told every verdict as soon as a student's photos are judged, and again where it changes later."""
    advance: Callable[[], None] = lambda: None
    """Called after each photo."""
    save_every_s: float = _SAVE_EVERY_S
    """Seconds of work that a crash may cost."""
    looks: Looks | None = None
    """Who looks at the photos; None: this engine, here."""
    result: EnrolmentResult = field(init=False)
    """What became of the photos so far."""
    _batch: BatchOthers = field(init=False)
    _known: Known = field(init=False)
    _owners: dict[str, str] = field(init=False, default_factory=dict)
    _enrolled: Mapping[str, frozenset[str]] = field(init=False, default_factory=dict)
    _counts: Mapping[str, int] = field(init=False, default_factory=dict)
    _unsaved: set[str] = field(init=False, default_factory=set)
    _looks: Looks = field(init=False)

    def __post_init__(self) -> None:
        """Prepare; nothing is read yet."""
        self.result = EnrolmentResult(misplaced=self.photos.misplaced)
        self._batch = BatchOthers(self.engine.info.encoding_size)
        self._known = Known(self.numbers, [self._batch], self._owners)
        self._looks = self.looks or OwnLooks(self.engine, self.max_pixels, self.numbers, self.accept)

    def run(self, *, resume: bool = False) -> EnrolmentResult:
        """Judge, encode and save all photos; a bad one never stops the others, and Ctrl-C keeps what is done.

        Args:
            resume: pass over students whose files were enrolled already.

        Raises:
            EngineError: the engine itself fails; what was done until then is saved.
            StoreError: the store cannot be used or written, or was made with another model.
        """
        self._read_store()
        refused = self.allow(list(self.photos.by_student))
        self._looks.ahead(
            (self.photos.shown(path), path)
            for student, paths in self.photos.by_student.items()
            if student not in refused
            for path in paths
        )
        last_saved = time.monotonic()
        try:
            for student, paths in self.photos.by_student.items():
                if student in refused:
                    self._turn_away(student, refused[student])
                elif resume and self._is_enrolled(student, paths):
                    self.result.passed_over[student] = self._counts.get(student, 0)
                    self._advance_by(len(paths))
                else:
                    self._enrol_one(student, paths)
                if time.monotonic() - last_saved > self.save_every_s:
                    self._save()
                    last_saved = time.monotonic()
        except KeyboardInterrupt:
            self.result.interrupted = True
        finally:
            self._save()
        return self.result

    def _read_store(self) -> None:
        """Hold the photos against the store's students too, but for those who are enrolled anew."""
        if not self.store_path.exists():
            return
        store = read_store(self.store_path, encoding_size=self.engine.info.encoding_size)
        check_model(self.store_path, store, self.engine.info.model)
        self._enrolled = {
            student: frozenset(origin.photo_sha256 for origin in store.provenance[student] if origin.photo_sha256)
            for student in self.photos.by_student.keys() & store.provenance.keys()
        }
        in_use = store.in_use
        self._counts = {student: len(in_use.get(student, ())) for student in self._enrolled}
        rest = store.without(self.photos.by_student.keys())
        gallery = Gallery.from_encodings(
            rest.in_use, model=self.engine.info.model, encoding_size=self.engine.info.encoding_size
        )
        self._known = replace(self._known, others=[self._batch, GalleryOthers(gallery)])
        for student, origins in rest.provenance.items():
            self._owners.update((origin.photo_sha256, student) for origin in origins if origin.photo_sha256)

    def _is_enrolled(self, student: str, paths: Sequence[Path]) -> bool:
        enrolled = self._enrolled.get(student, frozenset())
        # Photos that were refused are not in the store.
        return bool(enrolled) and enrolled <= hashes_of(paths)

    def _turn_away(self, student: str, reason: str) -> None:
        names = [self.photos.shown(path) for path in self.photos.by_student[student]]
        verdicts = [PhotoVerdict(name, PhotoOutcome.NO_CONSENT, reason) for name in names]
        self.result.verdicts[student] = verdicts
        for verdict in verdicts:
            self.tell(student, verdict)
        self._advance_by(len(names))

    def _advance_by(self, count: int) -> None:
        for _ in range(count):
            self.advance()

    def _enrol_one(self, student: str, paths: Sequence[Path]) -> None:
        looked_at = []
        for path in paths:
            looked_at.append(self._look_at(path))
            self.advance()
        verdicts = compare(student, looked_at, known=self._known, accept=self.accept)
        self.result.verdicts[student] = verdicts
        self._unsaved.add(student)
        for verdict, before in zip(verdicts, looked_at, strict=True):
            self.tell(student, verdict)
            if verdict.outcome is PhotoOutcome.SHARED and verdict.other in self.result.verdicts:
                self._take_back(verdict.other, student, before)
            elif verdict.encoding is not None and verdict.sha256 is not None:
                self._owners[verdict.sha256] = student
        rows = [verdict.encoding for verdict in verdicts if verdict.encoding is not None]
        if rows:
            self._batch.add(student, np.stack(rows))

    def _look_at(self, path: Path) -> PhotoVerdict:
        name = self.photos.shown(path)
        verdict = self._looks.look_at(name, path)
        before = self.photos.origins.get(path)
        if before is not None and verdict.sha256 is not None and before.photo_sha256 != verdict.sha256:
            return PhotoVerdict(name, PhotoOutcome.MISPLACED, "the file holds something else than when it was enrolled")
        return verdict

    def _take_back(self, student: str, other: str, shared: PhotoVerdict) -> None:
        """A photo of this student turned out to be another's as well, and nobody can tell whose it is."""
        for place, verdict in enumerate(self.result.verdicts[student]):
            if verdict.encoding is None or shared.encoding is None:
                continue
            distance = float(np.linalg.norm(verdict.encoding - shared.encoding))
            if distance < self._known.numbers.same_picture or verdict.sha256 == shared.sha256:
                detail = f"the same picture is one of {other}"
                changed = replace(verdict, outcome=PhotoOutcome.SHARED, detail=detail, encoding=None, other=other)
                self.result.verdicts[student][place] = changed
                self._unsaved.add(student)
                self.tell(student, changed)

    def _save(self) -> None:
        """Merge what was judged since the last time into the store."""
        if not self._unsaved:
            return
        saved = self.result.saved
        encodings, provenance = self._rows_to_save()

        def emptied() -> list[str]:
            return [student for student in self._unsaved if student not in encodings and student in saved]

        def merge(store: Store | None) -> Store:
            nonlocal encodings, provenance
            # Asked while nobody else can write the store: an erasure came before this, or will find what is added.
            self._leave_out_withdrawn()
            encodings, provenance = self._rows_to_save()
            if store is None:
                store = Store({}, self.engine.info.model, self.engine.info.encoding_size)
            check_model(self.store_path, store, self.engine.info.model)
            return store.without(emptied()).with_students(encodings, provenance)

        if (encodings or emptied()) and not self.dry:
            update_store(self.store_path, merge, encoding_size=self.engine.info.encoding_size)
        saved.update(dict.fromkeys(emptied(), 0))
        saved.update({name: sum(not origin.set_aside for origin in origins) for name, origins in provenance.items()})
        self._unsaved.clear()

    def _leave_out_withdrawn(self) -> None:
        good = [
            student
            for student in self.photos.by_student
            if student in self._unsaved and any(one.encoding is not None for one in self.result.verdicts[student])
        ]
        for student, reason in (self.admit or self.allow)(good).items():
            self.result.verdicts[student] = [
                replace(verdict, outcome=PhotoOutcome.NO_CONSENT, detail=reason, encoding=None)
                for verdict in self.result.verdicts[student]
            ]

    def _rows_to_save(self) -> tuple[dict[str, NDArray[np.float64]], dict[str, list[Provenance]]]:
        encodings: dict[str, NDArray[np.float64]] = {}
        provenance: dict[str, list[Provenance]] = {}
        for student in self.photos.by_student:
            verdicts = self.result.verdicts.get(student, ()) if student in self._unsaved else ()
            good = [verdict for verdict in verdicts if verdict.encoding is not None]
            if good:
                encodings[student] = np.array([verdict.encoding for verdict in good], np.float64)
                provenance[student] = [self._origin(verdict) for verdict in good]
        return encodings, provenance

    def _origin(self, verdict: PhotoVerdict) -> Provenance:
        path = self.photos.folder / verdict.name
        origin = origin_of(verdict, self.photos.source, self.engine.info.model)
        before = self.photos.origins.get(path)
        if before is not None:
            origin = replace(origin, source=before.source, enrolled_at=before.enrolled_at)
        return replace(origin, path=str(path.absolute()))


def origin_of(verdict: PhotoVerdict, source: str, model: str) -> Provenance:
    """What the store remembers of a photo that gave an encoding.

    Args:
        verdict: on the photo.
        source: the way in, e.g. "folder".
        model: the embedding model.
    """
    return Provenance(
        source=f"{source}:{verdict.name}"[:300],
        photo_sha256=verdict.sha256,
        enrolled_at=datetime.now(UTC).replace(microsecond=0),
        model=model,
        quality=verdict.quality,
        set_aside=verdict.outcome is PhotoOutcome.SET_ASIDE,
    )


def check_model(path: Path, store: Store, model: str) -> None:
    """Check that a store's encodings were made with a model; those of two cannot be compared.

    Raises:
        StoreError: they were made with another.
    """
    if store.model == model:
        return
    theirs, ours = family_of(store.model), family_of(model)
    remedy = "enrol every student again into a new store"
    if Family.CUSTOM not in (theirs, ours):
        remedy = "`attendance gallery convert` takes a gallery from one family to the other"
    raise StoreError(
        f"the store {path} was made with the model {store.model}, but the engine uses {model} "
        f"(families {theirs} and {ours}): {remedy}"
    )
