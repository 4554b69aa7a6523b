import numpy as np
import pytest

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.frame_detector import FrameDetector
from attendance.face_engine.detection.pyramid import tile_layout
from attendance.face_engine.detection.pyramid_graph import export_frame_detector
from attendance.face_engine.detection.tile_detector import DetectorGeometry, TileDetector
from attendance.face_engine.detection.tiles import fill_tile
from attendance.face_engine.interface import Image
from attendance.face_engine.models.dlib_file import Network, read_network
from attendance.face_engine.models.onnx_export import export_detector
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.runtimes.runtime import start_runtime


@pytest.fixture(scope="module")
def network() -> Network:
    return read_network(weights_file(CNN_DETECTOR))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("size", [(320, 240), (97, 301), (200, 90), (40, 33)])
def test_the_graph_s_scores_are_those_of_the_tile(network: Network, size: tuple[int, int], runtime: str) -> None:
    width, height = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    started = start_runtime(runtime)
    frames = np.stack([image, 255 - image])
    scores = started.load(export_frame_detector(network, width, height), precision="fp32").run(frames)
    layout = tile_layout(width, height)
    tiles = np.zeros((2, layout.height, layout.width, 3), np.float32)
    for frame, tile in zip(frames, tiles, strict=True):
        fill_tile(frame, layout, np.array(network.means, np.float32), tile)
    expected = started.load(export_detector(network), precision="fp32").run(tiles)
    assert scores.shape == expected.shape
    assert np.abs(scores - expected).max() < 1e-4


@pytest.mark.parametrize("upsample", [0, 1])
def test_batches_of_mixed_sizes(network: Network, six_people: Image, upsample: int) -> None:
    images = [
        six_people[200:450, 200:700],
        six_people[200:450, 300:800],
        np.zeros((5, 5, 3), np.uint8),
        six_people[200:400, 400:560],
    ]
    images = [np.ascontiguousarray(image) for image in images]
    started = start_runtime("onnxruntime")
    frames = FrameDetector(lambda model: started.load(model, precision="fp32"), network, work_pixels=600_000)
    tiles = TileDetector(
        started.load(export_detector(network), precision="fp32"), DetectorGeometry.of(network), work_pixels=20_000_000
    )
    for one, other in zip(frames.detect(images, upsample), tiles.detect(images, upsample), strict=True):
        assert np.array_equal(one.boxes, other.boxes)
        assert np.allclose(one.scores, other.scores, atol=1e-4)


def test_engines_on_cpus_fill_tiles_themselves() -> None:
    engine = AcceleratedEngine(runtime="onnxruntime", precision="fp32")  # otherwise what this machine measures
    assert engine.info.precision == "fp32"
    assert isinstance(engine._detector, TileDetector)
    engine.close()
