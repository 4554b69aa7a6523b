"""The engine of the family opencv: YuNet finds faces, dlib's five points align them, SFace encodes them."""

import math
from pathlib import Path

from attendance.face_engine.detection.yunet_detector import SCORE_LIMIT, YuNetDetector
from attendance.face_engine.encoding.alignment import TemplateAligner, sface_template
from attendance.face_engine.encoding.embeddings import SFaceEmbedder
from attendance.face_engine.interface import EngineInfo, FaceBoxes, Image, ModelError
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.opencv_files import load_opencv_graph
from attendance.face_engine.network_engine import (
    NetworkEngine,
    Steps,
    describe_precisions,
    load_landmarks,
    require_precision,
)
from attendance.face_engine.runtimes.runtime import PRECISIONS, Runtime, start_runtime

SEARCHED_FACE = 16
"""Pixels: the smallest face wanted comes to this width, or a little more, in the frame that is searched."""
_SCALES = (0.125, 0.25, 1 / 3, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0, 4.0)


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
            precision: of the search, fp32 or bf16 (fp16 on a GPU); auto is the fastest that the processor has. Which
                faces are found is decided in float32.
            encoder_precision: the same for the encodings; bf16 moves distances by up to 0.014.
            threads: of the runtime on a CPU; 0: as many as there are cores.
            cache: folder of the model files; None: in the user's cache folder.

        Raises:
            ModelError: a model file is missing or damaged, or the runtime cannot start.
            ValueError: an argument is none of the known ones.
        """
        if detector != "cnn":
            raise ValueError(f"detector is {detector!r}; the models opencv have one of their own: leave it at cnn")
        for wanted in (precision, encoder_precision):
            if wanted not in PRECISIONS:
                raise ValueError(f"there is no precision {wanted!r}; there are {', '.join(PRECISIONS)}")
        self._upsample = upsample
        self._scale = scale_for(smallest_face)
        started = start_runtime(runtime, threads=threads)
        search, encoding = (_choose_precision(started, wanted) for wanted in (precision, encoder_precision))
        folder = cache or default_cache_folder()
        graph, yunet = load_opencv_graph(folder, "detector")
        exact = None if search == "fp32" else started.load(graph, precision="fp32")
        self._detector = YuNetDetector(
            started.load(graph, precision=search), exact=exact, together=started.on_gpu, limit=score_limit
        )
        graph, sface = load_opencv_graph(folder, "encoder")
        embedder = SFaceEmbedder(started.load(graph, precision=encoding))
        predictor, landmarks = load_landmarks()
        aligner = TemplateAligner(predictor, sface_template(), side=embedder.side, whole_pixels=False)
        info = EngineInfo(
            name="accelerated",
            detector="yunet",
            runtime=started.title,
            device=started.device,
            precision=describe_precisions(search, encoding),
            model=embedder.name,
            encoding_size=embedder.size,
            models=(landmarks, sface, yunet),
            family="opencv",
        )
        super().__init__(Steps(aligner, embedder), info, max_pixels=max_pixels)

    def _doublings(self, upsample: int | None) -> int:
        return max(0, math.ceil(math.log2(self._scale_of(upsample))))

    def _search(self, images: list[Image], upsample: int | None) -> list[FaceBoxes]:
        return self._detector.detect(images, self._scale_of(upsample))

    def _scale_of(self, upsample: int | None) -> float:
        doublings = self._upsample if upsample is None else upsample
        return self._scale if doublings is None else 2.0**doublings


def scale_for(smallest_face: int | None) -> float:
    """What the sides of frames are multiplied by before the search, so that the smallest face wanted is found.

    Args:
        smallest_face: its width in pixels; None: the frames are searched as they are.
    """
    if smallest_face is None:
        return 1.0
    return next((scale for scale in _SCALES if scale * smallest_face >= SEARCHED_FACE), _SCALES[-1])


def _choose_precision(runtime: Runtime, wanted: str) -> str:
    if wanted in ("int8",):
        raise ModelError("the models opencv have no precision int8: choose fp32, bf16 or auto")
    if wanted == "auto":
        return next(precision for precision in runtime.precisions if precision != "int8")
    return require_precision(runtime, wanted)
