import re
from pathlib import Path

import numpy as np
import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.dlib_file import DatReader, read_network
from attendance.face_engine.models.weights import CNN_DETECTOR, ENCODER, LANDMARKS, weights_file


def test_the_detector_s_file() -> None:
    network = read_network(weights_file(CNN_DETECTOR))
    assert network.loss == "loss_mmod_"
    assert network.loss_numbers == (80, 80, pytest.approx(0.338276), 1.0)
    assert network.means == pytest.approx((122.782, 117.001, 104.298))
    assert [layer.kind for layer in network.layers] == [*["con_4", "bn_con2", "relu_"] * 6, "con_4"]
    assert network.layers[0].numbers == (16, 5, 5, 2, 2, 0, 0)
    assert network.layers[0].tensors[0].size == 16 * 3 * 5 * 5 + 16
    assert network.file.sha256.startswith("4cb19393e2fb")


def test_the_encoder_s_file() -> None:
    network = read_network(weights_file(ENCODER))
    assert network.loss == "loss_metric_2"
    assert network.input_kind == "input_rgb_image_sized"
    kinds = [layer.kind for layer in network.layers]
    assert kinds.count("con_4") == 29
    assert kinds[-2:] == ["avg_pool_2", "fc_2"]
    assert network.layers[-1].tensors[0].shape == (256, 128, 1, 1)


@pytest.mark.parametrize("share", [0, 0.00001, 0.0001, 0.3, 0.9, 0.99999])
@pytest.mark.parametrize("name", [CNN_DETECTOR, ENCODER])
def test_a_file_cut_short_is_named(tmp_path: Path, name: str, share: float) -> None:
    whole = weights_file(name).read_bytes()
    cut = tmp_path / "cut.dat"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ModelError, match=r"cut\.dat: the file is cut short \(at byte"):
        read_network(cut)


def test_a_file_that_goes_on_is_named(tmp_path: Path) -> None:
    longer = tmp_path / "longer.dat"
    longer.write_bytes(weights_file(CNN_DETECTOR).read_bytes() + b"\x01\x02")
    with pytest.raises(ModelError, match=re.escape("longer.dat: ")):
        read_network(longer)


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n" * 50, "no dlib integer"),
        (b"\x01\x01\x01\x0aloss_other", "loss 'loss_other'"),
        (b"\x01\x07", "version 7 where 1 was expected"),
        (b"\x01\x01\x02\xff\xff", "no name where one should be"),
        (b"\x01\x01\x01\x01\xff", "not ASCII"),
    ],
)
def test_another_file_is_named(tmp_path: Path, contents: bytes, reason: str) -> None:
    other = tmp_path / "other.dat"
    other.write_bytes(contents)
    with pytest.raises(ModelError, match=re.escape("other.dat: ") + f".*{reason}"):
        read_network(other)


def test_a_landmark_file_is_no_network() -> None:
    with pytest.raises(ModelError, match="shape_predictor_5"):
        read_network(weights_file(LANDMARKS))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.dat: cannot read the model file: No such file"):
        read_network(tmp_path / "none.dat")


def test_tokens() -> None:
    data = b"\x01\x05\x82\x00\x01" + b"\x01\x03\x81\x01" + b"1" + b"\x01\x02ab"
    data += b"\x01\x02" + b"\x01\x01" * 3 + b"\x01\x02" + np.array([1.5, -2], "<f4").tobytes()
    reader = DatReader(Path("tokens"), data)
    assert (reader.integer(), reader.integer(), reader.number(), reader.boolean(), reader.text()) == (
        5,
        -256,
        1.5,
        True,
        "ab",
    )
    assert reader.tensor().tolist() == [[[[1.5, -2]]]]
    assert reader.at_end


def test_an_impossible_tensor() -> None:
    data = b"\x01\x02" + b"\x04\xff\xff\xff\x7f" * 4
    with pytest.raises(ModelError, match="impossible shape"):
        DatReader(Path("tensor"), data).tensor()
