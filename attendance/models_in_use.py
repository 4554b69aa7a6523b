"""Which family of face models an installation works with: decided here for every program, and why is said.

`engine.models` names a family or is `auto`: then the gallery decides, since its encodings can be compared with those of
the models that made them only. Where there is no gallery yet, the family opencv is taken if its files are there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attendance.face_engine.factory import create_engine
from attendance.face_engine.interface import EngineInfo, FaceEngine, ModelError
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.fetching import PARTS, find_file
from attendance.gallery.format import GalleryError, read_manifest
from attendance.gallery.store import StoreError, read_store
from attendance.settings.families import Family, FamilyError, family_of
from attendance.settings.model import EngineName, EngineSettings, ModelsName, Settings


@dataclass(frozen=True, slots=True)
class ModelsInUse:
    """The family that an installation works with."""

    family: Family
    why: str
    """Where it comes from, a clause for people."""
    note: str = ""
    """A sentence about something that an operator may want to change; mostly empty."""

    def engine_arguments(self, settings: EngineSettings) -> dict[str, Any]:
        """What `create_engine` takes, by name."""
        # The encoder of one's own is an option of the engine of dlib's models.
        models = ModelsName.OPENCV if self.family is Family.OPENCV else ModelsName.DLIB
        return settings.arguments() | {"models": models.value}

    def create_engine(self, settings: EngineSettings) -> FaceEngine:
        """The family's engine.

        Raises:
            EngineError: a model file is missing or damaged, a runtime cannot start, or settings do not go together.
        """
        engine = create_engine(**self.engine_arguments(settings))
        require_models(engine.info, self.family)
        return engine


@dataclass(frozen=True, slots=True)
class _Held:
    """What a gallery holds."""

    family: Family
    model: str
    where: str
    """E.g. "the index 000012-20260301T080000Z-5f3a9c01"."""


def require_models(info: EngineInfo, family: Family) -> None:
    """Check that an engine has the models that it was made for: its encodings go into a gallery.

    Raises:
        ModelError: it has others.
    """
    if family_of(info.model) is not family:
        raise ModelError(f"the engine has the model {info.model}, which is none of family {family}")


def models_in_use(settings: Settings, *, store: Path | None = None, index: Path | None = None) -> ModelsInUse:
    """Decide which family of models is used.

    Args:
        settings: all of them.
        store: the store that is worked on, where it is another than the configured one; no other gallery counts then.
        index: the same of a folder of indexes.

    Raises:
        FamilyError: what is set does not go together with itself or with the gallery.
    """
    wanted = _wanted(settings.engine)
    held = _held(settings, store, index)
    if held is None:
        return _first(settings.engine) if wanted is None else _with_this_engine(wanted, settings.engine)
    if wanted is not None and wanted.family is not held.family:
        raise FamilyError(
            f"{wanted.why}, but {held.where} holds encodings of family {held.family} ({held.model}), which cannot be "
            f"compared with those of family {wanted.family}. Set ATTENDANCE_ENGINE_MODELS=auto, or convert the gallery "
            "with `attendance gallery convert`"
        )
    if held.family is Family.CUSTOM and settings.engine.embedding is None:
        raise FamilyError(
            f"{held.where} was made with the model {held.model}, which is none of dlib's or OpenCV's: name its file in "
            "ATTENDANCE_ENGINE_EMBEDDING"
        )
    return _with_this_engine(ModelsInUse(held.family, f"{held.where} was made with it"), settings.engine)


def models_for_photos(settings: Settings) -> ModelsInUse:
    """The same for work on photos that touches no gallery: a family that is set counts, whatever the gallery holds.

    Raises:
        FamilyError: what is set does not go together with itself.
    """
    wanted = _wanted(settings.engine)
    return models_in_use(settings) if wanted is None else _with_this_engine(wanted, settings.engine)


def models_of(settings: Settings, family: Family, why: str) -> ModelsInUse:
    """The models of a given family, whatever is set and whatever the gallery holds.

    Raises:
        FamilyError: the engine that is set does not have them.
    """
    return _with_this_engine(ModelsInUse(family, why), settings.engine)


def require_family(settings: Settings, model: str, file: Path, *, store: Path) -> None:
    """Check that encodings which somebody brings are of the family that is in use.

    Args:
        settings: all of them.
        model: that made the encodings.
        file: that holds them, for the message.
        store: into which they go.

    Raises:
        FamilyError: they are of another.
    """
    theirs = family_of(model)
    wanted, held = _wanted(settings.engine), _held(settings, store, None)
    if held is not None:
        family, where = held.family, f"{held.where} holds those of family {held.family}"
    elif wanted is not None:
        family, where = wanted.family, wanted.why
    else:
        return
    if family is not theirs:
        raise FamilyError(
            f"{file} holds encodings of family {theirs} ({model}), but {where}: they cannot be compared. "
            "Enrol the students from photos"
        )


def _wanted(engine: EngineSettings) -> ModelsInUse | None:
    """The family that is set; None: the gallery decides."""
    if engine.embedding is not None:
        if engine.models is not ModelsName.AUTO:
            raise FamilyError(
                f"engine.embedding names a model of one's own, and engine.models is {engine.models}: leave one out"
            )
        return ModelsInUse(Family.CUSTOM, f"engine.embedding is {engine.embedding}")
    if engine.models is ModelsName.AUTO:
        return None
    return ModelsInUse(Family(engine.models.value), f"engine.models is {engine.models}")


def _held(settings: Settings, store: Path | None, index: Path | None) -> _Held | None:
    """What the index in use holds or, where there is none, the store; None: there is nothing yet."""
    configured = store is None or store.absolute() == settings.store_path.absolute()
    if index is not None or configured:
        try:
            manifest = read_manifest(index or settings.index_path)
        except GalleryError:
            manifest = None  # a damaged index is told where it is loaded
        if manifest is not None:
            family = Family(manifest.family) if manifest.family in set(Family) else family_of(manifest.model)
            return _Held(family, manifest.model, f"the index {manifest.version}")
    path = store or settings.store_path
    try:
        if index is not None or not path.exists():
            return None
        model = read_store(path).model
    except (StoreError, OSError):
        return None  # told where it is used; the service may not be allowed to read it
    return _Held(family_of(model), model, f"the store {path}")


def _with_this_engine(models: ModelsInUse, engine: EngineSettings) -> ModelsInUse:
    if engine.name is EngineName.REFERENCE and models.family is not Family.DLIB:
        raise FamilyError(
            f"the reference engine has dlib's models only, but family {models.family} is in use: {models.why}. "
            "Set ATTENDANCE_ENGINE_NAME=accelerated"
        )
    return models


def _first(engine: EngineSettings) -> ModelsInUse:
    """For the first enrolment."""
    if engine.name is EngineName.REFERENCE:
        return ModelsInUse(Family.DLIB, "there is no gallery yet, and the reference engine has no other")
    folder = engine.cache or default_cache_folder()
    missing = [part for part in PARTS if find_file(folder, part) is None]
    if missing:
        return ModelsInUse(
            Family.DLIB,
            "there is no gallery yet, and files of family opencv are missing",
            f"Family opencv, which knows smaller faces, is not used: its {' and '.join(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} not in {folder}. `attendance models fetch` gets them.",
        )
    return ModelsInUse(Family.OPENCV, "there is no gallery yet, and its files are here")


class KeptEngine:
    """An engine for a long-running program: made when it is needed, and anew when the gallery's family has changed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._family: Family | None = None
        self._engine: FaceEngine | None = None

    def current(self) -> FaceEngine:
        """The engine of the family in use now.

        Raises:
            FamilyError: as for `models_in_use`.
            EngineError: it cannot be made.
        """
        models = models_in_use(self._settings)
        if self._engine is None or models.family is not self._family:
            self.close()
            self._engine = models.create_engine(self._settings.engine)
            self._family = models.family
        return self._engine

    def close(self) -> None:
        """Give back what it holds."""
        if self._engine is not None:
            self._engine.close()
        self._engine = None
