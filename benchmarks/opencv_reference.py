"""OpenCV's own pipeline, FaceDetectorYN and FaceRecognizerSF, on the same weights, to compare the models opencv with.

OpenCV reads no block-quantised weights, so it is given the files with those undone and nothing else changed.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from attendance.face_engine.interface import Image
from attendance.face_engine.models.fetching import find_file
from attendance.face_engine.models.onnx_reading import read_graph

_OPSET = 13
"""ONNX operator set before block quantisation; OpenCV reads it."""


def plain_file(folder: Path, part: str) -> bytes:
    """A model file of a folder as it was before its weights were quantised in blocks.

    Args:
        folder: of the model files; they are there.
        part: detector or encoder.
    """
    known = find_file(folder, part)
    if known is None:
        raise FileNotFoundError(f"no {part} of the models opencv in {folder}: attendance models fetch")
    contents = (folder / known.name).read_bytes()
    model, graph = onnx.load_model_from_string(contents), read_graph(known.name, contents)
    nodes = [node for node in model.graph.node if node.output[0] not in graph.constants]
    used = {name for node in nodes for name in node.input}
    given = [one for one in model.graph.input if one.name not in graph.constants and one.name in used]
    quantised = {one.name for one in model.graph.input} - {one.name for one in given}
    del model.graph.node[:], model.graph.initializer[:], model.graph.input[:], model.graph.value_info[:]
    model.graph.node.extend(nodes)
    model.graph.input.extend(one for one in given if one.name not in quantised)
    for name in sorted(used & graph.constants.keys()):
        model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(graph.constants[name]), name))
    model.opset_import[0].version = _OPSET
    return bytes(model.SerializeToString())


class OpenCvPipeline:
    """Detection, alignment and encoding as OpenCV's own classes do them."""

    def __init__(self, folder: Path, *, limit: float) -> None:
        """Load both files of a folder of model files; `limit`: the score that a face reaches."""
        with tempfile.TemporaryDirectory() as work:
            paths = [Path(work) / f"{part}.onnx" for part in ("detector", "encoder")]
            for path in paths:
                path.write_bytes(plain_file(folder, path.stem))
            self._detector = cv2.FaceDetectorYN.create(str(paths[0]), "", (320, 320), limit, 0.3, 5000)
            self._recognizer = cv2.FaceRecognizerSF.create(str(paths[1]), "")

    def detect(self, image: Image) -> NDArray[np.float32]:
        """Rows of left, top, width, height, five points and score, best first; shape (n, 15)."""
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        self._detector.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, found = self._detector.detect(bgr)
        return np.empty((0, 15), np.float32) if found is None else np.asarray(found, np.float32)

    def encode(self, chips: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The encodings of aligned faces, of length one, shape (n, 128).

        Args:
            chips: RGB, shape (n, 112, 112, 3).
        """
        rows = [self._recognizer.feature(np.ascontiguousarray(chip[:, :, ::-1])) for chip in chips]
        return _of_length_one(np.concatenate([np.empty((0, 128), np.float32), *rows]))

    def find(self, image: Image) -> NDArray[np.float32]:
        """The encodings of all faces, of length one, shape (n, 128)."""
        bgr = np.ascontiguousarray(image[:, :, ::-1])
        rows = [self._recognizer.feature(self._recognizer.alignCrop(bgr, row)) for row in self.detect(image)]
        return _of_length_one(np.concatenate([np.empty((0, 128), np.float32), *rows]))


def _of_length_one(encodings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(encodings / np.maximum(np.linalg.norm(encodings, axis=1, keepdims=True), 1e-9))
