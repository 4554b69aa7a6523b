"""The engine of the family opencv: YuNet finds faces, dlib's five points align them, SFace encodes them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from attendance.face_engine.arithmetic import ENCODING, SEARCH, Work, choose
from attendance.face_engine.detection.yunet_detector import SCORE_LIMIT, YuNetDetector
from attendance.face_engine.encoding.alignment import TemplateAligner, sface_template
from attendance.face_engine.encoding.embeddings import MOST_CHIPS, SFaceEmbedder
from attendance.face_engine.interface import EngineChoiceError, EngineInfo, Image
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_export import SFACE_SIDE
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.network_engine import (
    NetworkEngine,
    Steps,
    describe_precisions,
    load_landmarks,
)
from attendance.face_engine.pieces import Known, Search
from attendance.face_engine.runtimes.runtime import Runtime, Session
from attendance.face_engine.scaling import scale_for


class OpenCvEngine(NetworkEngine):
    """YuNet, dlib's five-point landmarks and SFace; an engine of `attendance.face_engine.interface`.

    Boxes are the squares that dlib's detector would draw, not rounded; encodings have length one.
    """

    def __init__(
        self,
        *,
        detector: str = "cnn",
        upsample: int | None = None,
        smallest_face: int | None = None,
        score_limit: float = SCORE_LIMIT,
        max_pixels: int = 16_000_000,
        runtime: str = "auto",
        precision: str = "auto",
        encoder_precision: str = "auto",
        threads: int = 0,
        cache: Path | None = None,
    ) -> None:
        """Start the runtime and load the models.

        Args:
            detector: "cnn", the settings' default; the family has one detector.
            upsample: times an image is doubled before detection when a call does not say; None: `smallest_face` says.
            smallest_face: width in pixels of the smallest face wanted, which frames are scaled by; None: as they are.
            score_limit: a face's score reaches it, from 0 to 1.
            max_pixels: the largest image accepted.
            runtime: one of `attendance.face_engine.runtimes.runtime.RUNTIMES`.
            precision: of the search, fp32 or bf16 (fp16 on a GPU); auto is the fastest on this machine, measured at
                first use. Which faces are found is decided in float32.
            encoder_precision: the same for the encodings; bf16 moves distances by up to 0.014.
            threads: of the runtime on a CPU; 0: as many as there are cores.
            cache: folder of the model files; None: in the user's cache folder.

        Raises:
            ModelError: a model file is missing or damaged, or the runtime cannot start.
            EngineChoiceError: an argument is none of the known ones.
        """
        if detector != "cnn":
            raise EngineChoiceError(
                f"detector is {detector!r}; the models opencv have one of their own: leave it at cnn"
            )
        folder = cache or default_cache_folder()
        graph, yunet = load_opencv_graph(folder, "detector")
        encoder_graph, sface = load_opencv_graph(folder, "encoder")
        choice = choose(
            runtime=runtime,
            precisions={SEARCH: precision, ENCODING: encoder_precision},
            works=_works(graph, encoder_graph),
            threads=threads,
            folder=folder,
            models=[yunet.sha256, sface.sha256],
        )
        started = choice.runtime
        exact = None if choice.search == "fp32" else started.load(graph, precision="fp32")
        self._detector = YuNetDetector(
            started.load(graph, precision=choice.search), exact=exact, together=started.on_gpu, limit=score_limit
        )
        encoder = started.load(encoder_graph, precision=choice.encoding)
        embedder = SFaceEmbedder(encoder, together=MOST_CHIPS) if started.on_gpu else SFaceEmbedder(encoder)
        predictor, landmarks = load_landmarks()
        aligner = TemplateAligner(predictor, sface_template(), side=embedder.side, whole_pixels=False)
        info = EngineInfo(
            name="accelerated",
            detector="yunet",
            runtime=started.title,
            device=started.device,
            precision=describe_precisions(choice.search, choice.encoding),
            model=embedder.name,
            encoding_size=embedder.size,
            models=(landmarks, sface, yunet),
            family="opencv",
            timings=choice.timings,
        )
        super().__init__(
            Steps(aligner, embedder), info, max_pixels=max_pixels, upsample=upsample, smallest_face=smallest_face
        )

    def _search(self, images: list[Image], scale: float, known: Known) -> Search:
        return self._detector.detect_in_pieces(images, scale, known)

    def _scale_for(self, smallest_face: int | None) -> float:
        return scale_for(smallest_face)


def _works(detector: bytes, encoder: bytes) -> dict[str, Work]:
    """What is measured where runtime and precision are left open: a frame of 640 x 480, and the chips of four faces."""
    generator = np.random.default_rng(0)
    frame, chips = (1, 480, 640, 3), (4, SFACE_SIDE, SFACE_SIDE, 3)

    def loaded(graph: bytes) -> Callable[[Runtime, str], Session]:
        return lambda runtime, precision: runtime.load(graph, precision=precision)

    precisions = ("bf16", "fp32", "fp16")
    return {
        SEARCH: Work(precisions, loaded(detector), lambda: generator.integers(0, 256, frame, np.uint8), {}),
        ENCODING: Work(precisions, loaded(encoder), lambda: generator.integers(0, 256, chips, np.uint8), {}),
    }
