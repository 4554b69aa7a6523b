from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine.accelerated import AcceleratedEngine
from attendance.face_engine.detection.decoding import Candidates, decide, find_candidates
from attendance.face_engine.detection.pyramid import TileLayout, tile_layout
from attendance.face_engine.detection.refinement import Margins, Refiner, undecided
from attendance.face_engine.detection.tile_detector import DetectorGeometry
from attendance.face_engine.detection.tiles import fill_tile
from attendance.face_engine.interface import Image
from attendance.face_engine.models.dlib_file import read_network
from attendance.face_engine.models.onnx_export import export_detector
from attendance.face_engine.models.weights import CNN_DETECTOR, weights_file
from attendance.face_engine.pieces import finished
from attendance.face_engine.runtimes.runtime import Session, start_runtime

MARGIN = 0.1


class Counted:
    """A session that counts the pixels it was given."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.pixels = 0

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        self.pixels += values.size // 3
        return self.session.run(values)


@pytest.fixture(scope="module")
def geometry() -> DetectorGeometry:
    return DetectorGeometry.of(read_network(weights_file(CNN_DETECTOR)))


@pytest.fixture(scope="module")
def exact() -> Session:
    graph = export_detector(read_network(weights_file(CNN_DETECTOR)))
    return start_runtime("openvino").load(graph, precision="fp32")


def tile_of(image: Image, geometry: DetectorGeometry) -> tuple[NDArray[np.float32], TileLayout]:
    layout = tile_layout(image.shape[1], image.shape[0])
    tile = np.zeros((1, layout.height, layout.width, 3), np.float32)
    fill_tile(image, layout, geometry.means, tile[0])
    return tile, layout


def refine(refiner: Refiner, tile: NDArray[np.float32], shape: tuple[int, ...], candidates: Candidates) -> None:
    """All of it, the pieces as large as can be."""
    finished(refiner.refine_in_pieces(tile, shape, [candidates], threshold=0, work_pixels=tile.size))


@pytest.mark.parametrize("seed", range(4))
def test_scores_off_by_the_margin_decide_as_exact_ones(
    six_people: Image, geometry: DetectorGeometry, exact: Session, seed: int
) -> None:
    image = six_people
    tile, layout = tile_of(image, geometry)
    scores = exact.run(tile)[0, 0]
    expected = decide(
        find_candidates(scores, layout, window=geometry.window, overlap=geometry.overlap, threshold=0), upsample=0
    )
    noise = np.random.default_rng(seed).uniform(-MARGIN, MARGIN, scores.shape).astype(np.float32)
    candidates = find_candidates(
        scores + noise, layout, window=geometry.window, overlap=geometry.overlap, threshold=-MARGIN, exact=False
    )
    counted = Counted(exact)
    refine(Refiner(counted, Margins(MARGIN, MARGIN)), tile, scores.shape, candidates)
    found = decide(candidates, upsample=0)
    assert np.array_equal(found.boxes, expected.boxes)
    assert np.abs(found.scores - expected.scores).max() < 1e-4
    assert candidates.exact.any()
    assert counted.pixels < tile.size // 3, "patches cost less than the tile"


def test_without_faces_nothing_is_computed_again(geometry: DetectorGeometry, exact: Session) -> None:
    tile, layout = tile_of(np.full((200, 300, 3), 90, np.uint8), geometry)
    scores = exact.run(tile)[0, 0]
    candidates = find_candidates(
        scores, layout, window=geometry.window, overlap=geometry.overlap, threshold=-0.03, exact=False
    )
    counted = Counted(exact)
    refine(Refiner(counted, Margins(0.03, 0.03)), tile, scores.shape, candidates)
    assert counted.pixels == 0


def test_a_tile_smaller_than_a_patch_is_computed_whole(
    six_people: Image, geometry: DetectorGeometry, exact: Session
) -> None:
    face = np.ascontiguousarray(six_people[270:400, 440:570])
    tile, layout = tile_of(face, geometry)
    scores = exact.run(tile)[0, 0]
    candidates = find_candidates(
        scores - 0.01, layout, window=geometry.window, overlap=geometry.overlap, threshold=-0.03, exact=False
    )
    refine(Refiner(exact, Margins(0.03, 0.03)), tile, scores.shape, candidates)
    assert len(decide(candidates, upsample=0).boxes) == 1
    assert np.allclose(candidates.scores, scores[candidates.rows, candidates.columns], atol=1e-4)


def test_what_is_decided_is_left_alone() -> None:
    layout = tile_layout(640, 480)
    scores = np.full((220, 80), -1, np.float32)
    scores[10, 10], scores[10, 11], scores[40, 50] = 0.5, 0.4, 0.9
    candidates = find_candidates(scores, layout, window=(80, 80), overlap=0.338, threshold=-0.01, exact=False)
    best = undecided(candidates, Margins(0.06, 0.0), threshold=0.0)
    assert {(int(candidates.rows[place]), int(candidates.columns[place])) for place in best} == {(10, 10), (40, 50)}
    candidates.exact[best] = True
    assert len(undecided(candidates, Margins(0.01, 0.0), threshold=0.0)) == 0
    (rival,) = undecided(candidates, Margins(0.11, 0.0), threshold=0.0)
    assert int(candidates.columns[rival]) == 11
    candidates.exact[rival] = True
    assert len(undecided(candidates, Margins(0.11, 0.0), threshold=0.0)) == 0


def test_the_default_engine_decides_as_fp32(six_people: Image) -> None:
    engines = [AcceleratedEngine(precision=precision) for precision in ("fp32", "bf16")]
    exact_boxes, boxes = (engine.detect([six_people, six_people[:, ::-1]]) for engine in engines)
    for one, other in zip(exact_boxes, boxes, strict=True):
        assert np.array_equal(one.boxes, other.boxes)
    for engine in engines:
        engine.close()
