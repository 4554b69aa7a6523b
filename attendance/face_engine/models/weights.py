"""Where dlib's weights are, and their hashes."""

import hashlib
import importlib.util
from pathlib import Path

from attendance.face_engine.interface import ModelError, ModelFile
from attendance.parts import how_to_install

CNN_DETECTOR = "mmod_human_face_detector.dat"
LANDMARKS = "shape_predictor_5_face_landmarks.dat"
ENCODER = "dlib_face_recognition_resnet_model_v1.dat"

ENCODER_MODEL = "dlib-resnet-v1"
"""The name under which galleries remember encodings made with `ENCODER`, whatever runtime ran it."""
ENCODING_SIZE = 128
CHIP_SIDE = 150
"""Pixels; the encoder's input (dlib, `dnn_face_recognition_ex.cpp`)."""
CHIP_PADDING = 0.25
"""Room around the face in its chip, as a share of it (the same source)."""


def weights_file(name: str) -> Path:
    """The path of a weights file of the package `face_recognition_models`, which is found without importing it.

    Imported, the package would import `pkg_resources`, which warns that it is going away.

    Raises:
        ModelError: the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise ModelError(
            f"there is no package face_recognition_models, which carries the face models: {how_to_install('service')}"
        )
    path = Path(places[0]) / "models" / name
    if not path.is_file():
        raise ModelError(f"the model file {path} is missing: install face_recognition_models again")
    return path


def model_file(path: Path) -> ModelFile:
    """The name and SHA-256 of a model file.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return ModelFile(path.name, hashlib.file_digest(file, "sha256").hexdigest())
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror}") from None
