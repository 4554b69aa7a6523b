"""The face engine, the store of encodings and the index that the service searches."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import DatabaseError, session_factory
from attendance.database.models import Student
from attendance.database.opening import open_engine
from attendance.database.watching.recognisable import differences
from attendance.face_engine.interface import EngineError, EngineInfo
from attendance.face_engine.models.cache import default_cache_folder
from attendance.gallery.conversion import stores_beside
from attendance.gallery.format import GalleryError, current_version, load_gallery, read_manifest
from attendance.gallery.store import StoreError, read_store
from attendance.models_in_use import models_in_use
from attendance.settings import Settings
from attendance.settings.engine import EngineSettings
from attendance.settings.families import Family, FamilyError, family_of
from attendance.settings.load import PREFIX
from operations.doctor.findings import Finding, ok, problem, warning

_NAMED = 5
"""Students named in one finding."""
_STALE = timedelta(minutes=5)
"""A store may be newer than the index for as long as somebody is enrolling."""


def examine_engine(settings: Settings) -> tuple[list[Finding], EngineInfo | None]:
    """Decide on the family and load its engine; its models are checked by their hashes as it loads."""
    try:
        models = models_in_use(settings)
        settings.matching.numbers(models.family)
    except FamilyError as error:
        return [problem("models", str(error), "See `attendance config` for what is set.")], None
    try:
        with _made_for_looking(settings.engine) as looked, closing(models.create_engine(looked)) as engine:
            facts = engine.info
    except EngineError as error:
        remedy = "Correct the ATTENDANCE_ENGINE_ settings, or install what is missing; see `attendance engine info`."
        return [problem("model", str(error), remedy)], None
    found = [ok("model", f"family {models.family} ({models.why}): {facts.model} on {facts.runtime} ({facts.device})")]
    if models.note:
        found.append(warning("models", models.note, "Run `attendance models fetch` before the first enrolment."))
    return found, facts


@contextmanager
def _made_for_looking(engine: EngineSettings) -> Iterator[EngineSettings]:
    """The settings, where models are converted into a folder that goes again if theirs is not there yet."""
    if (engine.cache or default_cache_folder()).is_dir():
        yield engine
        return
    with tempfile.TemporaryDirectory() as folder:
        yield engine.model_copy(update={"cache": Path(folder)})


def examine_distances(settings: Settings) -> list[Finding]:
    """Whether distances are still set by the names of before there were families of models."""
    return [
        warning(
            "settings",
            f"matching.{key} is the former name of matching.dlib.{key}; it is dlib's distance, and no other family's",
            f"Set {PREFIX}MATCHING_DLIB_{key.upper()} (or {key} under [matching.dlib]) to {value:g}, and remove it.",
        )
        for key, value in settings.matching.former_names().items()
    ]


def examine_index(settings: Settings, facts: EngineInfo | None) -> list[Finding]:
    """Load the current index, every file of it, and hold it against the engine and the store."""
    again, first = (
        "Run `attendance index build`.",
        "Enrol students (`attendance enrol`), then run `attendance index build`.",
    )
    if settings.replica.on:
        again = first = "It comes from another machine: see what is said of the source of the index."
    if current_version(settings.index_path) is None:
        text = f"none is published in {settings.index_path}: nobody can be recognised"
        return [problem("index", text, first)]
    try:
        manifest = read_manifest(settings.index_path)
        gallery = load_gallery(settings.index_path, model=facts.model if facts is not None else None)
    except GalleryError as error:
        return [problem("index", str(error), again)]
    family = family_of(gallery.model)
    text = f"{gallery.version}, family {family}: {len(gallery.identities)} students, {gallery.encodings} encodings"
    found = [ok("index", text)]
    if settings.replica.on:
        return found  # the store is on another machine
    try:
        written = datetime.fromtimestamp(settings.store_path.stat().st_mtime, UTC)
    except OSError:
        text = f"the store {settings.store_path} is missing: the index cannot be built again"
        return [*found, warning("store", text, "Restore it from a backup, or enrol the students again.")]
    if manifest is not None and written - datetime.fromisoformat(manifest.created_at) > _STALE:
        found.append(warning("index", "the store was changed after the index was built", again))
    return found


def examine_recognisable(settings: Settings) -> list[Finding]:
    """Hold what the database says of who can be recognised against the index in use."""
    try:
        if current_version(settings.index_path) is None:
            return []  # told of the index itself
        gallery = load_gallery(settings.index_path)
        with open_engine(settings.database_url) as engine, session_factory(engine)() as db:
            found = differences(db, frozenset(gallery.identities))
            unmarked, marked = _some_of(db, found.unmarked), _some_of(db, found.marked)
    except (DatabaseError, GalleryError):
        return []  # told by the examinations of the index and the database
    findings = []
    if found.unmarked:
        text = f"the index holds {len(found.unmarked)} students whom the database calls unrecognisable: {unmarked}"
        remedy = "Absences are not recorded of them. The service notes them within minutes; is it running?"
        findings.append(warning("recognisable", text, remedy))
    if found.marked:
        text = f"the database calls {len(found.marked)} students recognisable whom the index does not hold: {marked}"
        remedy = "They may be marked absent without cause. Run `attendance index build`, which brings both in step."
        findings.append(problem("recognisable", text, remedy))
    return findings or [ok("recognisable", "the database and the index agree on who can be recognised")]


def _some_of(db: Session, students: Sequence[int]) -> str:
    some = db.scalars(sa.select(Student.index_number).where(Student.id.in_(students[:_NAMED])).order_by(Student.id))
    return ", ".join([*some, *(["..."] if len(students) > _NAMED else [])])


def examine_store(settings: Settings) -> list[Finding]:
    """The store, of which the next index is built: whether it can be read, and is of the family of the index in use."""
    path, found = settings.store_path, []
    if path.exists():
        try:
            store = family_of(read_store(path).model)
        except StoreError as error:
            return [problem("store", f"damaged: {error}", "Restore it from a backup, or enrol the students again.")]
        index = _family_in_use(settings)
        if index is not None and store is not index:
            text = f"the store {path} is of family {store}, but the index in use of family {index}"
            found.append(problem("store", text, "Run `attendance gallery convert`; see docs/enrolment.md."))
    for unfinished in stores_beside(path):
        text = f"{unfinished} holds encodings of a conversion that is not complete"
        found.append(warning("store", text, "Run `attendance gallery convert` again, or delete the file."))
    return found


def _family_in_use(settings: Settings) -> Family | None:
    """That of the index; None where there is none that can be read."""
    try:
        manifest = read_manifest(settings.index_path)
    except GalleryError:
        return None
    return None if manifest is None else family_of(manifest.model)


def examine_enrolment(settings: Settings) -> list[Finding]:
    """Count the students who gave their consent and cannot be recognised yet."""
    try:
        with open_engine(settings.database_url) as engine, engine.connect() as connection:
            students = connection.execute(sa.select(sa.func.count()).select_from(Student)).scalar_one()
            waiting = connection.execute(
                sa.select(sa.func.count())
                .select_from(Student)
                .where(Student.consent_given_at.is_not(None), Student.gallery_encodings == 0)
            ).scalar_one()
    except DatabaseError:
        return []  # told by the database's own examination
    if waiting:
        text = f"{waiting} of {students} students gave their consent and cannot be recognised yet"
        return [warning("enrolment", text, "Enrol them: on the dashboard's page of students, or `attendance enrol`.")]
    return [ok("enrolment", f"{students} students, all that gave their consent can be recognised")]
