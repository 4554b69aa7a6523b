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


def create_engine(*, name: str, detector: str, upsample: int, max_pixels: int, **options: Any) -> FaceEngine:
    """Build an engine.

    Args:
        name: one of `ENGINES`.
        detector: "cnn" or "hog".
        upsample: times an image is doubled before detection when a call does not say.
        max_pixels: the largest image the engine accepts.
        options: further options of that engine.

    Raises:
        ModelError: a model file is missing or damaged, or a runtime cannot start.
        EngineChoiceError: there is no such engine, or it has no such detector.
    """
    if name not in ENGINES:
        raise EngineChoiceError(f"there is no engine {name!r}; there are {', '.join(sorted(ENGINES))}")
    module, constructor = ENGINES[name]
    engine = getattr(importlib.import_module(module), constructor)
    return cast(FaceEngine, engine(detector=detector, upsample=upsample, max_pixels=max_pixels, **options))
