"""Settings of the face engine."""

from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import Field

from attendance.settings.section import Section


class EngineName(StrEnum):
    """The engines that `face_engine` can build."""

    ACCELERATED = "accelerated"
    REFERENCE = "reference"


class EngineRuntime(StrEnum):
    """What runs the accelerated engine's networks."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


class Precision(StrEnum):
    """In what arithmetic the accelerated engine searches for faces; what it finds is decided in float32."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    FP16 = "fp16"


class EncoderPrecision(StrEnum):
    """In what arithmetic the accelerated engine encodes faces."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class ModelsName(StrEnum):
    """Which family of face models is used; auto: the gallery's (see `attendance.models_in_use`)."""

    AUTO = "auto"
    DLIB = "dlib"
    OPENCV = "opencv"


class SearchName(StrEnum):
    """How the models dlib are searched with."""

    EXACT = "exact"
    PROPOSED = "proposed"


class DetectorName(StrEnum):
    """dlib's two face detectors: the convolutional one, and the older histogram-of-gradients one."""

    CNN = "cnn"
    HOG = "hog"


class EngineSettings(Section):
    """How faces are found and encoded."""

    name: EngineName = Field(
        EngineName.ACCELERATED,
        description="accelerated (dlib's models in an inference runtime) or reference (dlib itself: slow).",
    )
    models: ModelsName = Field(
        ModelsName.AUTO,
        description="Family of models: dlib, opencv (YuNet and SFace), or auto: the one that the gallery was made "
        "with; for the first enrolment opencv if its files are there, else dlib.",
    )
    detector: DetectorName = Field(
        DetectorName.CNN, description="cnn; the reference engine also has hog, cheaper there and blind to turned faces."
    )
    upsample: int | None = Field(
        None,
        ge=0,
        le=3,
        description="Times a frame is doubled before detection, unless its camera says otherwise. Unset: once for the "
        "models dlib; for opencv as often as the smallest face wanted asks for.",
    )
    search: SearchName = Field(
        SearchName.EXACT,
        description="Models dlib: exact (dlib's own search) or proposed (YuNet proposes, dlib decides: doubled frames "
        "cost a fraction).",
    )
    score_limit: float = Field(
        0.3, ge=0.2, le=0.95, description="Models opencv: the detector's score, from 0 to 1, that a face must reach."
    )
    max_pixels: int = Field(
        16_000_000, ge=10_000, le=200_000_000, description="Largest image accepted, in pixels (width x height)."
    )
    runtime: EngineRuntime = Field(
        EngineRuntime.AUTO,
        description="Accelerated engine: openvino or onnxruntime (CPU), cuda or tensorrt (NVIDIA GPU), or auto.",
    )
    precision: Precision = Field(
        Precision.AUTO,
        description="Accelerated engine: arithmetic of the search for faces; auto: the fastest the processor has.",
    )
    encoder_precision: EncoderPrecision = Field(
        EncoderPrecision.AUTO,
        description="Accelerated engine: arithmetic of encoding; bf16 and fp16 are faster and off by up to 0.015. "
        "auto: fp32 for the models dlib, whose encodings it keeps; for opencv the fastest the processor has.",
    )
    threads: int = Field(
        0, ge=0, le=256, description="Accelerated engine: threads of the runtime on a CPU; 0: one a core."
    )
    work_pixels: int = Field(
        16_000_000,
        ge=1_000_000,
        le=1_000_000_000,
        description="Accelerated engine: bounds memory, about 40 bytes for each of these pixels; more is split.",
    )
    cache: Path | None = Field(
        None, description="Folder of model files, fetched and converted. Default: in the user's cache folder."
    )
    embedding: Path | None = Field(
        None,
        description="Accelerated engine: an ONNX face embedding model (ArcFace family, 112 x 112) in place of dlib's.",
    )

    def arguments(self) -> dict[str, Any]:
        """What `attendance.face_engine.factory.create_engine` takes, by name."""
        common = {"name", "models", "detector", "upsample", "max_pixels"}
        chosen = self.model_dump(include=common) if self.name is EngineName.REFERENCE else self.model_dump()
        return {key: value.value if isinstance(value, StrEnum) else value for key, value in chosen.items()}
