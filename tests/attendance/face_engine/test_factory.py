import subprocess
import sys

import pytest

from attendance.face_engine.factory import ENGINES, create_engine


def test_the_reference_engine_by_name() -> None:
    engine = create_engine(name="reference", detector="hog", upsample=0, max_pixels=1_000_000)
    assert engine.info.name == "reference"
    assert engine.info.detector == "hog"
    engine.close()


def test_an_unknown_engine_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no engine 'quantum'; there are .*reference"):
        create_engine(name="quantum", detector="hog", upsample=0, max_pixels=1_000_000)
    assert "reference" in ENGINES


def test_runtimes_are_imported_when_asked_for() -> None:
    code = (
        "import sys, attendance.face_engine.factory\n"
        "print([m for m in ('dlib', 'openvino', 'onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
