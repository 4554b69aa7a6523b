from pathlib import Path

import numpy as np
import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.landmark_file import read_landmark_model
from attendance.face_engine.models.weights import ENCODER, LANDMARKS, weights_file


def integer(value: int) -> bytes:
    """dlib's serialisation of an integer."""
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def number(value: float) -> bytes:
    mantissa, exponent = int(value * 1024), -10
    return integer(mantissa) + integer(exponent)


def matrix(*values: float) -> bytes:
    return integer(-len(values)) + integer(-1) + b"".join(map(number, values))


def tiny(*, pixel: int = 1, landmark: int = 0, splits: int = 1, moves: int = 4, tail: bytes = b"") -> bytes:
    """A predictor of two landmarks, with one cascade of one tree that compares two pixels."""
    tree = integer(splits) + splits * (integer(0) + integer(pixel) + number(7.5))
    tree += integer(splits + 1) + (splits + 1) * matrix(*[0.25] * moves)
    return b"".join(
        [
            integer(1),
            matrix(0.25, 0.5, 0.75, 0.5),
            integer(1) + integer(1) + tree,
            integer(1) + integer(2) + integer(landmark) + integer(1),
            integer(1) + integer(2) + number(-0.5) + number(0.0) + number(0.125) + number(0.25),
            tail,
        ]
    )


def test_the_predictor_of_face_recognition_models() -> None:
    model = read_landmark_model(weights_file(LANDMARKS))
    assert model.file.sha256 == "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888"
    assert model.mean_shape.shape == (5, 2)
    assert model.first.shape == model.thresholds.shape == (15, 500, 15)
    assert model.leaves.shape == (15, 500, 16, 10)
    assert model.pixel_offsets.shape == (15, 800, 2)


def test_every_number_comes_to_its_place(tmp_path: Path) -> None:
    (tmp_path / "tiny.dat").write_bytes(tiny())
    model = read_landmark_model(tmp_path / "tiny.dat")
    assert model.mean_shape.tolist() == [[0.25, 0.5], [0.75, 0.5]]
    assert (model.first.tolist(), model.second.tolist()) == ([[[0]]], [[[1]]])
    assert model.thresholds.tolist() == [[[7.5]]]
    assert model.leaves.tolist() == [[[[0.25] * 4] * 2]]
    assert model.pixel_landmarks.tolist() == [[0, 1]]
    assert model.pixel_offsets.tolist() == [[[-0.5, 0.0], [0.125, 0.25]]]
    assert model.leaves.dtype == np.float32


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"", "no landmark model of dlib, or it is cut short"),
        (b"this is no model", "no landmark model of dlib, or it is cut short"),
        (tiny()[:-1], "cut short"),
        (tiny()[: len(tiny()) // 2 - 1], "cut short"),
        (tiny(tail=integer(3)), "goes on after its end"),
        (integer(2) + tiny()[2:], "another version than 1"),
        (tiny(pixel=2), "a pixel which is not there"),
        (tiny(landmark=2), "a landmark which is not there"),
        (tiny(splits=2), "no full trees"),
        (tiny(moves=3), "trees of different sizes|cut short|impossible count"),
        (integer(1) + integer(-(2**40)) + integer(-(2**40)), "a matrix of"),
    ],
)
def test_damaged_and_other_files_are_named(contents: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "other.dat").write_bytes(contents)
    with pytest.raises(ModelError, match=rf"other\.dat: .*({reason})"):
        read_landmark_model(tmp_path / "other.dat")


def test_another_model_of_dlib_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=ENCODER):
        read_landmark_model(weights_file(ENCODER))
    with pytest.raises(ModelError, match=r"gone\.dat: cannot read"):
        read_landmark_model(tmp_path / "gone.dat")
