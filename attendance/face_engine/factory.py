"""Engines by name. An engine's module, and the runtime it imports, is loaded when the engine is asked for."""

import importlib
from collections.abc import Mapping
from typing import Any, cast

from attendance.face_engine.interface import EngineChoiceError, FaceEngine

ENGINES: Mapping[str, tuple[str, str]] = {
    "accelerated": ("attendance.face_engine.accelerated", "AcceleratedEngine"),
    "reference": ("attendance.face_engine.reference", "ReferenceEngine"),
}
"""Name: (module, class). A class takes detector, upsample, max_pixels and what options are its own, by keyword."""
OPENCV_ENGINE = ("attendance.face_engine.opencv_engine", "OpenCvEngine")
"""The accelerated engine of the models opencv."""
MODELS = ("auto", "dlib", "opencv")
_OF_DLIB = frozenset({"work_pixels", "embedding", "search"})
"""Options that the models opencv have no use for."""
_OF_OPENCV = frozenset({"score_limit"})
"""Options that the models dlib have no use for."""


def create_engine(
    *, name: str, detector: str, upsample: int | None, max_pixels: int, models: str = "auto", **options: Any
) -> FaceEngine:
    """Build an engine.

    Args:
        name: one of `ENGINES`.
        detector: "cnn" or "hog".
        upsample: times an image is doubled before detection when a call does not say; None: what the smallest face
            wanted asks for.
        max_pixels: the largest image the engine accepts.
        models: which family, one of `MODELS`; auto is dlib: a caller that knows the gallery's family names it.
        options: further options of that engine; those of the other family are left out.

    Raises:
        ModelError: a model file is missing or damaged, or a runtime cannot start.
        EngineChoiceError: there is no such engine, or it has no such detector or models.
    """
    if name not in ENGINES:
        raise EngineChoiceError(f"there is no engine {name!r}; there are {', '.join(sorted(ENGINES))}")
    if models not in MODELS:
        raise EngineChoiceError(f"there are no models {models!r}; there are {', '.join(MODELS)}")
    module, constructor = ENGINES[name]
    unused = _OF_OPENCV
    if models == "opencv":
        if name != "accelerated":
            raise EngineChoiceError(
                f"the engine {name} has the models dlib only; the models opencv need the engine accelerated"
            )
        if options.get("embedding") is not None:
            raise EngineChoiceError(
                "an embedding model of one's own takes the place of dlib's; the models opencv have SFace"
            )
        module, constructor = OPENCV_ENGINE
        unused = _OF_DLIB
    own = {option: value for option, value in options.items() if option not in unused}
    engine = getattr(importlib.import_module(module), constructor)
    return cast(FaceEngine, engine(detector=detector, upsample=upsample, max_pixels=max_pixels, **own))
