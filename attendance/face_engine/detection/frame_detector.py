"""The detector on a GPU: one graph a frame size, whole batches in one call."""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from attendance.face_engine.detection.decoding import Candidates, decide, find_candidates
from attendance.face_engine.detection.pyramid import TileLayout
from attendance.face_engine.detection.pyramid_graph import export_frame_detector
from attendance.face_engine.detection.tile_detector import DetectorGeometry, no_faces
from attendance.face_engine.detection.tiles import upsample_image, upsampled_layout
from attendance.face_engine.interface import FaceBoxes, Image
from attendance.face_engine.models.dlib_file import Network
from attendance.face_engine.pieces import Known, Search, finished, of_images
from attendance.face_engine.runtimes.runtime import Session

_SMALLEST_SIDE = 12
_KEPT_SESSIONS = 8


class FrameDetector:
    """Finds faces with sessions that map frames of one size to score maps."""

    def __init__(self, load: Callable[[bytes], Session], network: Network, *, work_pixels: int) -> None:
        """Prepare; a graph is made at the first frame of its size.

        Args:
            load: makes a session of an ONNX model.
            network: dlib's detector.
            work_pixels: most pixels of tiles in one call; at least one frame is always taken, which a GPU searches in
                a fraction of a second whatever its size.
        """
        self._load = load
        self._network = network
        self._geometry = DetectorGeometry.of(network)
        self._work_pixels = work_pixels
        self._sessions: OrderedDict[tuple[int, int], Session] = OrderedDict()

    def detect(self, images: Sequence[Image], upsample: int) -> list[FaceBoxes]:
        """Find the faces of each image, which may differ in size; checked RGB images."""
        return finished(self.detect_in_pieces(images, upsample, {}))

    def detect_in_pieces(self, images: Sequence[Image], upsample: int, known: Known) -> Search:
        """The same; stops after each call of the network."""
        found = [no_faces() for _ in images]
        by_size: dict[tuple[int, int], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            if min(image.shape[:2]) << upsample >= _SMALLEST_SIDE:
                by_size[image.shape[0], image.shape[1]].append(place)
        for places in by_size.values():
            layout = upsampled_layout(images[places[0]], upsample)
            together = max(1, self._work_pixels // (layout.width * layout.height))
            for start in range(0, len(places), together):
                part = places[start : start + together]
                work = self._run([images[place] for place in part], layout, upsample)
                for place, boxes in zip(part, (yield from of_images(work, part)), strict=True):
                    found[place] = known[place] = boxes
        return found

    def _run(self, images: list[Image], layout: TileLayout, upsample: int) -> Generator[None, None, list[FaceBoxes]]:
        frames = np.stack([upsample_image(image, upsample) for image in images])
        height, width = frames.shape[1:3]
        answers = self._session(width, height).run(frames)
        yield
        return [decide(self._candidates(scores[0], layout), upsample=upsample) for scores in answers]

    def _candidates(self, scores: NDArray[np.float32], layout: TileLayout) -> Candidates:
        return find_candidates(
            scores, layout, window=self._geometry.window, overlap=self._geometry.overlap, threshold=0.0
        )

    def _session(self, width: int, height: int) -> Session:
        key = (width, height)
        if key not in self._sessions:
            while len(self._sessions) >= _KEPT_SESSIONS:
                self._sessions.popitem(last=False)
            self._sessions[key] = self._load(export_frame_detector(self._network, width, height))
        self._sessions.move_to_end(key)
        return self._sessions[key]
