import re

import pytest
from click.testing import CliRunner

from operations.cli.main import attendance


def test_info_prints_what_it_runs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_NAME", "reference")
    monkeypatch.setenv("ATTENDANCE_ENGINE_DETECTOR", "cnn")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 0, done.output
    for words in ("reference", "cnn", "dlib 20.", "CPU", "fp32", "dlib-resnet-v1, 128 numbers each"):
        assert words in done.output
    assert (
        "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6  mmod_human_face_detector.dat" in done.output
    )


def test_missing_models_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_NAME", "reference")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: there is no package face_recognition_models, which carries the face models")


def test_the_default_engine_names_runtime_precision_device_and_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "dlib")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 0, done.output
    assert "accelerated" in done.output
    assert "OpenVINO 20" in done.output
    assert "CPU, " in done.output
    assert done.output.count(".dat") == 3
    assert "Family:     dlib: engine.models is dlib" in done.output


@pytest.mark.usefixtures("opencv_models")
def test_the_other_family_is_named_with_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "opencv")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 0, done.output
    for words in ("Family:     opencv: engine.models is opencv", "yunet", "sface-2021dec, 128 numbers each"):
        assert words in done.output


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_RUNTIME", "cuda")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: the runtime cuda was asked for, but")


def test_what_was_measured_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "dlib")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert done.exit_code == 0, done.output
    assert "Family:     dlib" in done.output
    assert "Measured on this machine, a 640 x 480 frame (search)" in done.output
    assert re.search(r"^  search     openvino     fp32  +\d+\.\d\d ms$", done.output, re.MULTILINE)
    assert re.search(r"^  encoding   onnxruntime  fp32  +\d+\.\d\d ms$", done.output, re.MULTILINE)


def test_nothing_is_measured_where_the_settings_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_ENGINE_MODELS", "dlib")
    monkeypatch.setenv("ATTENDANCE_ENGINE_RUNTIME", "openvino")
    monkeypatch.setenv("ATTENDANCE_ENGINE_PRECISION", "fp32")
    done = CliRunner().invoke(attendance, ["engine", "info"])
    assert "Measured:   nothing; the settings name runtime and precisions" in done.output
