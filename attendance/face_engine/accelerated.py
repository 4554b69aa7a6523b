"""The accelerated engine: dlib's weights and dlib's steps, run by an inference runtime."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from attendance.face_engine.arithmetic import ENCODING, SEARCH, Work, choose
from attendance.face_engine.detection.frame_detector import FrameDetector
from attendance.face_engine.detection.proposed_detector import ProposedDetector
from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.detection.refinement import Margins, Refiner
from attendance.face_engine.detection.tile_detector import DetectorGeometry, TileDetector
from attendance.face_engine.detection.yunet_detector import YuNetDetector
from attendance.face_engine.encoding.alignment import TemplateAligner, arcface_template, dlib_template
from attendance.face_engine.encoding.embeddings import ArcFaceEmbedder, DlibEmbedder, Embedder
from attendance.face_engine.encoding.landmarks import LandmarkPredictor
from attendance.face_engine.interface import EngineChoiceError, EngineInfo, Image, ModelFile
from attendance.face_engine.models.cache import cached, default_cache_folder
from attendance.face_engine.models.dlib_file import Network, read_network
from attendance.face_engine.models.onnx_export import (
    EXPORT_SHA256,
    EXPORT_VERSION,
    export_detector,
    export_encoder,
)
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.models.quantisation import export_int8_detector
from attendance.face_engine.models.weights import (
    CHIP_PADDING,
    CHIP_SIDE,
    CNN_DETECTOR,
    ENCODER,
    model_file,
    weights_file,
)
from attendance.face_engine.network_engine import NetworkEngine, Steps, load_landmarks
from attendance.face_engine.pieces import Known, Search
from attendance.face_engine.runtimes.runtime import Runtime, Session
from attendance.face_engine.scaling import doublings_for

SCORE_MARGINS = {"bf16": Margins(unclear=0.05, clear=0.016), "int8": Margins(unclear=0.2, clear=0.08)}
"""How far a precision's scores are taken to be off: twice the worst seen or more (`benchmarks.calibrate`)."""
DECISIONS = {"bf16": 0.1, "int8": 0.22}
"""What deciding in float32 adds to the search, as a share of the float32 network's time: more where scores are further
off. Measured on a loaded Intel processor with AMX, frames of 640 x 480 with two faces: a rough figure."""
SEARCHES = ("exact", "proposed")
DEFAULT_WORK_PIXELS = 16_000_000


class Detector(Protocol):
    """What the engine searches with."""

    def detect_in_pieces(self, images: Sequence[Image], upsample: int, known: Known) -> Search:
        """Find the faces of each image, which may differ in size; checked RGB images, contiguous.

        Stops after each call of a network. `known` is given the faces of each image as soon as they are known.
        """


class AcceleratedEngine(NetworkEngine):
    """dlib's CNN detector, five-point landmarks and ResNet encoder; an engine of `attendance.face_engine.interface`.

    Boxes and landmarks are dlib's own, as the reference engine's are.
    """

    def __init__(
        self,
        *,
        detector: str = "cnn",
        upsample: int | None = 0,
        smallest_face: int | None = None,
        max_pixels: int = 16_000_000,
        runtime: str = "auto",
        precision: str = "auto",
        encoder_precision: str = "fp32",
        threads: int = 0,
        work_pixels: int = DEFAULT_WORK_PIXELS,
        cache: Path | None = None,
        embedding: Path | None = None,
        search: str = "exact",
    ) -> None:
        """Start the runtime and load the models, exporting them at the first use of their files.

        Args:
            detector: "cnn"; dlib's HOG detector stays with the reference engine.
            upsample: times an image is doubled before detection when a call does not say; None: `smallest_face` says.
            smallest_face: width in pixels of the smallest face wanted, which images are doubled by; None: once.
            max_pixels: the largest image accepted.
            runtime: one of `attendance.face_engine.runtimes.runtime.RUNTIMES`.
            precision: of the detector's search, one of `PRECISIONS`; auto is the fastest on this machine, measured at
                first use. What is found is the same with all: whatever could decide is computed in float32.
            encoder_precision: fp32, which auto is too, gives dlib's encodings; bf16, three times as fast on processors
                that have it, moves them by up to 0.015.
            threads: of the runtime on a CPU; 0: as many as there are cores.
            work_pixels: bounds memory: most pixels of pyramids in one call of the detector's network. A batch with more
                is split, and a frame with more is computed in bands; one with more than three times as many is searched
                in overlapping parts.
            cache: folder of exported models; None: in the user's cache folder.
            embedding: an ONNX face embedding model of the ArcFace family; None: dlib's.
            search: "exact", dlib's own, or "proposed": YuNet, whose file must be there, proposes where dlib's detector
                decides in float32. Doubled frames cost a fraction; a face that YuNet does not think possible is lost.

        Raises:
            ModelError: a model file is missing or damaged, or the runtime cannot start.
            EngineChoiceError: an argument is none of the known ones.
        """
        if detector != "cnn":
            raise EngineChoiceError(
                f"detector is {detector!r}; the accelerated engine has cnn (the reference engine has hog)"
            )
        if search not in SEARCHES:
            raise EngineChoiceError(f"there is no search {search!r}; there are {', '.join(SEARCHES)}")
        folder = cache or default_cache_folder()
        network = read_network(weights_file(CNN_DETECTOR))
        choice = choose(
            runtime=runtime,
            precisions={SEARCH: precision, ENCODING: "fp32" if encoder_precision == "auto" else encoder_precision},
            works=_works(network, folder),
            threads=threads,
            folder=folder,
            models=[network.file.sha256],
        )
        started = choice.runtime
        predictor, landmarks = load_landmarks()
        self._detector: Detector
        if search == "proposed":
            self._detector = _build_proposed_detector(started, network, folder, work_pixels)
        else:
            self._detector = _build_detector(started, choice.search, network, folder, work_pixels)
        steps, encoder = _build_steps(started, choice.encoding, predictor, folder, embedding)
        info = EngineInfo(
            name="accelerated",
            detector=detector,
            runtime=started.title,
            device=started.device,
            precision=_describe("fp32" if search == "proposed" else choice.search, choice.encoding),
            model=steps.embedder.name,
            encoding_size=steps.embedder.size,
            models=(landmarks, encoder, network.file),
            family="dlib" if embedding is None else "custom",
            timings=choice.timings,
        )
        super().__init__(steps, info, max_pixels=max_pixels, upsample=upsample, smallest_face=smallest_face)

    def _search(self, images: list[Image], scale: float, known: Known) -> Search:
        """Images of one size share one call of the network."""
        return self._detector.detect_in_pieces(images, round(math.log2(scale)), known)

    def _scale_for(self, smallest_face: int | None) -> float:
        return 2.0 ** doublings_for(smallest_face)


def _works(network: Network, folder: Path) -> dict[str, Work]:
    """What is measured where runtime and precision are left open: a frame of 640 x 480, and the chips of four faces."""

    def load_search(runtime: Runtime, precision: str) -> Session:
        graph = export_int8_detector(network) if precision == "int8" else _exported(folder, network, "detector")
        return runtime.load(graph, precision=precision)

    def load_encoder(runtime: Runtime, precision: str) -> Session:
        return runtime.load(_exported(folder, read_network(weights_file(ENCODER)), "encoder"), precision=precision)

    generator = np.random.default_rng(0)
    layout = tile_layout(640, 480)
    tile = (1, layout.height, layout.width, 3)
    return {
        SEARCH: Work(
            ("bf16", "int8", "fp32", "fp16"),
            load_search,
            lambda: generator.uniform(-120, 130, tile).astype(np.float32),
            DECISIONS,
        ),
        ENCODING: Work(
            ("fp32",), load_encoder, lambda: generator.integers(0, 256, (4, CHIP_SIDE, CHIP_SIDE, 3), np.uint8), {}
        ),
    }


def _build_steps(
    runtime: Runtime, precision: str, predictor: LandmarkPredictor, folder: Path, embedding: Path | None
) -> tuple[Steps, ModelFile]:
    """Alignment and encoding, and the encoder's file."""
    embedder: Embedder
    if embedding is None:
        path = weights_file(ENCODER)
        embedder = DlibEmbedder(runtime.load(_exported(folder, read_network(path), "encoder"), precision=precision))
        template, encoder = dlib_template(CHIP_SIDE, CHIP_PADDING), model_file(path)
    else:
        arcface = ArcFaceEmbedder(embedding, runtime, precision=precision)
        embedder, template, encoder = arcface, arcface_template(arcface.side), arcface.file
    aligner = TemplateAligner(predictor, template, side=embedder.side, whole_pixels=True)
    return Steps(aligner, embedder), encoder


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


def _build_proposed_detector(runtime: Runtime, network: Network, folder: Path, work_pixels: int) -> ProposedDetector:
    graph, _ = load_opencv_graph(folder, "detector")
    return ProposedDetector(
        YuNetDetector(runtime.load(graph, precision="fp32")),
        runtime.load(_exported(folder, network, "detector"), precision="fp32"),
        DetectorGeometry.of(network),
        work_pixels=work_pixels,
    )


def _describe(precision: str, encoder_precision: str) -> str:
    """The arithmetic in words, for `EngineInfo.precision`."""
    if precision == encoder_precision == "fp32":
        return "fp32"
    search = f"{precision} search, fp32 decisions" if precision in SCORE_MARGINS else f"{precision} detector"
    return f"{search}, {encoder_precision} encodings"


def _exported(folder: Path, network: Network, part: str) -> bytes:
    export = export_detector if part == "detector" else export_encoder
    key = f"{part}-{network.file.sha256}-v{EXPORT_VERSION}"
    return cached(folder, key, lambda: export(network), sha256=EXPORT_SHA256.get(network.file.sha256))
