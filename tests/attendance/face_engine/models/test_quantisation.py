import dataclasses

import numpy as np
import pytest

from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.detection.tiles import fill_tile
from attendance.face_engine.interface import Image, ModelError
from attendance.face_engine.models.dlib_file import Network, read_network
from attendance.face_engine.models.onnx_export import export_detector
from attendance.face_engine.models.quantisation import export_int8_detector
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.runtimes.runtime import start_runtime


@pytest.fixture(scope="module")
def network() -> Network:
    return read_network(weights_file(CNN_DETECTOR))


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_scores_stay_within_the_margin(network: Network, six_people: Image, runtime: str) -> None:
    image = np.ascontiguousarray(six_people[200:450, 200:700])
    layout = tile_layout(image.shape[1], image.shape[0])
    tile = np.zeros((1, layout.height, layout.width, 3), np.float32)
    fill_tile(image, layout, np.array(network.means, np.float32), tile[0])
    started = start_runtime(runtime)
    exact = started.load(export_detector(network), precision="fp32").run(tile)
    rounded = started.load(export_int8_detector(network), precision="int8").run(tile)
    near = exact > -0.4
    assert near.sum() > 10
    assert 0 < np.abs(rounded - exact)[near].max() < 0.2


def test_other_weights_have_no_ranges(network: Network) -> None:
    other = dataclasses.replace(network, file=dataclasses.replace(network.file, sha256="0" * 64))
    with pytest.raises(ModelError, match="ranges were measured on other weights: choose another precision"):
        export_int8_detector(other)
