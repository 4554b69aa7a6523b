"""The accelerated engine: dlib's weights and dlib's steps, run by an inference runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.checks import check_chips, check_faces, check_images
from attendance.face_engine.detection.frame_detector import FrameDetector
from attendance.face_engine.detection.refinement import Margins, Refiner
from attendance.face_engine.detection.tile_detector import DetectorGeometry, TileDetector
from attendance.face_engine.encoding.alignment import Aligner, ArcFaceAligner, DlibAligner
from attendance.face_engine.encoding.embeddings import ArcFaceEmbedder, DlibEmbedder, Embedder
from attendance.face_engine.interface import (
    AlignedFaces,
    EngineChoiceError,
    EngineError,
    EngineInfo,
    FaceBoxes,
    Image,
    ModelError,
)
from attendance.face_engine.models.cache import cached, default_cache_folder
from attendance.face_engine.models.dlib_file import Network, read_network
from attendance.face_engine.models.onnx_export import EXPORT_VERSION, export_detector, export_encoder
from attendance.face_engine.models.quantisation import export_int8_detector
from attendance.face_engine.models.weights import (
    CHIP_PADDING,
    CHIP_SIDE,
    CNN_DETECTOR,
    ENCODER,
    LANDMARKS,
    model_file,
    weights_file,
)
from attendance.face_engine.runtimes.runtime import PRECISIONS, Runtime, start_runtime

SCORE_MARGINS = {"bf16": Margins(unclear=0.05, clear=0.016), "int8": Margins(unclear=0.2, clear=0.08)}
"""How far a precision's scores are taken to be off: twice the worst seen or more (`benchmarks.calibrate`)."""
DEFAULT_WORK_PIXELS = 16_000_000


class Detector(Protocol):
    """What the engine searches with."""

    def detect(self, images: Sequence[Image], upsample: int) -> list[FaceBoxes]:
        """Find the faces of each image, which may differ in size; checked RGB images, contiguous."""


class AcceleratedEngine:
    """dlib's CNN detector, five-point landmarks and ResNet encoder; an engine of `attendance.face_engine.interface`.

    Boxes and landmarks are dlib's own, as the reference engine's are.
    """

    def __init__(
        self,
        *,
        detector: str = "cnn",
        upsample: int = 0,
        max_pixels: int = 16_000_000,
        runtime: str = "auto",
        precision: str = "auto",
        encoder_precision: str = "fp32",
        threads: int = 0,
        work_pixels: int = DEFAULT_WORK_PIXELS,
        cache: Path | None = None,
        embedding: Path | None = None,
    ) -> None:
        """Start the runtime and load the models, exporting them at the first use of their files.

        Args:
            detector: "cnn"; dlib's HOG detector stays with the reference engine.
            upsample: times an image is doubled before detection when a call does not say.
            max_pixels: the largest image accepted.
            runtime: one of `attendance.face_engine.runtimes.runtime.RUNTIMES`.
            precision: of the detector's search, one of `PRECISIONS`; auto is the fastest that the processor has. What
                is found is the same with all: whatever could decide is computed in float32.
            encoder_precision: fp32 gives dlib's encodings; bf16, three times as fast on processors that have it, moves
                them by up to 0.015.
            threads: of the runtime on a CPU; 0: as many as there are cores.
            work_pixels: bounds memory: most pixels of pyramids in one call of the detector's network. A batch with more
                is split; a frame with more is searched in overlapping parts.
            cache: folder of exported models; None: in the user's cache folder.
            embedding: an ONNX face embedding model of the ArcFace family; None: dlib's.

        Raises:
            ModelError: a model file is missing or damaged, or the runtime cannot start.
            EngineChoiceError: an argument is none of the known ones.
        """
        if detector != "cnn":
            raise EngineChoiceError(
                f"detector is {detector!r}; the accelerated engine has cnn (the reference engine has hog)"
            )
        for wanted in (precision, encoder_precision):
            if wanted not in PRECISIONS:
                raise EngineChoiceError(f"there is no precision {wanted!r}; there are {', '.join(PRECISIONS)}")
        self._upsample = upsample
        self._max_pixels = max_pixels
        started = start_runtime(runtime, threads=threads)
        chosen, encoding = (_choose_precision(started, wanted) for wanted in (precision, encoder_precision))
        folder = cache or default_cache_folder()
        files = [weights_file(name) for name in (LANDMARKS, ENCODER, CNN_DETECTOR)]
        network = read_network(files[2])
        self._detector: Detector | None = _build_detector(started, chosen, network, folder, work_pixels)
        self._aligner: Aligner = DlibAligner(files[0], side=CHIP_SIDE, padding=CHIP_PADDING)
        self._embedder: Embedder
        if embedding is None:
            graph = _exported(folder, read_network(files[1]), "encoder")
            self._embedder = DlibEmbedder(started.load(graph, precision=encoding))
            encoder_file = model_file(files[1])
        else:
            arcface = ArcFaceEmbedder(embedding, started, precision=encoding)
            self._embedder, encoder_file = arcface, arcface.file
            self._aligner = ArcFaceAligner(self._aligner, side=arcface.side)
        self._info = EngineInfo(
            name="accelerated",
            detector=detector,
            runtime=started.title,
            device=started.device,
            precision=_describe(chosen, encoding),
            model=self._embedder.name,
            encoding_size=self._embedder.size,
            models=(model_file(files[0]), encoder_file, network.file),
        )

    @property
    def info(self) -> EngineInfo:
        """What this engine runs on."""
        return self._info

    @property
    def blocks_interpreter(self) -> bool:
        """False: the networks run with Python's global lock released; landmarks hold it for a millisecond a face."""
        return False

    def detect(self, images: Sequence[Image], *, upsample: int | None = None) -> list[FaceBoxes]:
        """Find the faces of each image; see `FaceEngine.detect`. Images of one size share one call of the network."""
        doublings = self._upsample if upsample is None else upsample
        checked = check_images(images, max_pixels=self._max_pixels, upsample=doublings)
        return self._open().detect(checked, doublings)

    def align(self, images: Sequence[Image], faces: Sequence[FaceBoxes]) -> list[AlignedFaces]:
        """Find five landmarks of every face and cut its chip; see `FaceEngine.align`."""
        check_faces(images, faces)
        checked = check_images(images, max_pixels=self._max_pixels)
        self._open()
        return [self._aligner.align(image, found.boxes) for image, found in zip(checked, faces, strict=True)]

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encode aligned faces; see `FaceEngine.encode`."""
        checked = check_chips(chips, self._embedder.side)
        self._open()
        return self._embedder.encode(checked)

    def close(self) -> None:
        """Let go of the models; every later call but this one raises EngineError."""
        self._detector = None

    def _open(self) -> Detector:
        if self._detector is None:
            raise EngineError("the engine is closed")
        return self._detector


def _build_detector(
    runtime: Runtime, precision: str, network: Network, folder: Path, work_pixels: int
) -> TileDetector | FrameDetector:
    if runtime.on_gpu:
        return FrameDetector(lambda model: runtime.load(model, precision=precision), network, work_pixels=work_pixels)
    graph = _exported(folder, network, "detector")
    refiner = None
    if precision in SCORE_MARGINS:
        refiner = Refiner(runtime.load(graph, precision="fp32"), SCORE_MARGINS[precision])
    if precision == "int8":
        graph = export_int8_detector(network)
    session = runtime.load(graph, precision=precision)
    return TileDetector(session, DetectorGeometry.of(network), work_pixels=work_pixels, refiner=refiner)


def _choose_precision(runtime: Runtime, wanted: str) -> str:
    if wanted == "auto":
        return runtime.precisions[0]
    if wanted not in runtime.precisions:
        raise ModelError(
            f"the precision {wanted} was asked for, but {runtime.title} on {runtime.device} has "
            f"{', '.join(runtime.precisions)}"
        )
    return wanted


def _describe(precision: str, encoder_precision: str) -> str:
    if precision == encoder_precision == "fp32":
        return "fp32"
    search = f"{precision} search, fp32 decisions" if precision in SCORE_MARGINS else f"{precision} detector"
    return f"{search}, {encoder_precision} encodings"


def _exported(folder: Path, network: Network, part: str) -> bytes:
    export = export_detector if part == "detector" else export_encoder
    return cached(folder, f"{part}-{network.file.sha256}-v{EXPORT_VERSION}", lambda: export(network))
