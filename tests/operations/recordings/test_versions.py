"""A machine that runs with something else is named, with both."""

from dataclasses import fields, replace
from importlib.metadata import version
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from attendance.gallery.format import publish
from attendance.gallery.versions import current_version
from attendance.settings.families import traits_of
from operations.recordings.versions import (
    FactsJob,
    MachineFacts,
    admission_of,
    facts,
    libraries,
    name_of_code,
)
from operations.runners.ray_cluster import Refusal
from tests.operations.recordings.own_models import VARIABLE, build
from tests.recognition_service.engines import MODEL, SIZE

LIBRARIES = (("OpenCV", "5.0.0"), ("PyAV", "18.1.0"), ("OpenVINO", "2026.4.1"), ("ONNX Runtime", "1.32.0"))
WANTED = MachineFacts("here", name_of_code(), "sface 1", "000001", "3.11.7", LIBRARIES)


def test_a_machine_with_the_same_may_work() -> None:
    assert replace(WANTED, machine="there").differs(WANTED) is None


@pytest.mark.parametrize(("field", "what"), [("code", "code"), ("models", "models"), ("python", "Python")])
def test_a_machine_with_another_version_is_named_with_both(field: str, what: str) -> None:
    told = replace(WANTED, machine="there", **{field: "other"}).differs(WANTED)  # type: ignore[arg-type]
    assert told == Refusal(
        f"there has another version of the {what}: other, where the run has {getattr(WANTED, field)}"
    )


@pytest.mark.parametrize("name", [name for name, _ in LIBRARIES])
@pytest.mark.parametrize("own", ["0.1", None])
def test_so_is_one_where_something_else_decodes_or_computes(name: str, own: str | None) -> None:
    there = replace(WANTED, machine="there", libraries=tuple((dict(LIBRARIES) | {name: own}).items()))
    assert there.differs(WANTED) == Refusal(
        f"there has another version of {name}: {own or 'none'}, where the run has {dict(LIBRARIES)[name]}"
    )
    refusal = replace(WANTED, machine="there").differs(there)
    assert refusal is not None
    assert refusal.why.endswith(f", where the run has {own or 'none'}")


def test_another_index_passes_where_all_else_is_the_same() -> None:
    told = replace(WANTED, machine="there", index=None).differs(WANTED)
    assert told == Refusal("there has another version of the index: none, where the run has 000001", passes=True)
    refusal = replace(WANTED, machine="there", index=None, models="other").differs(WANTED)
    assert refusal is not None
    assert not refusal.passes


def test_what_the_code_of_before_tells_is_refused_for_the_code() -> None:
    """Its facts are fewer, and come as they were pickled."""
    told = MachineFacts.__new__(MachineFacts)
    for one in fields(MachineFacts):
        if one.name != "libraries":
            object.__setattr__(told, one.name, getattr(WANTED, one.name))
    object.__setattr__(told, "code", "of before")
    refusal = told.differs(WANTED)
    assert refusal is not None
    assert "another version of the code: of before" in refusal.why


def test_the_versions_are_those_of_the_libraries_here() -> None:
    told = dict(libraries())
    assert f"{told['OpenCV']}".startswith(f"{cv2.__version__} with avcodec ")
    assert told["PyAV"] == f"{av.__version__} with avcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"
    assert told["OpenVINO"] == version("openvino")
    assert told["ONNX Runtime"] == version("onnxruntime")


def new_index(folder: Path, student: str) -> str:
    """Publish an index; its version."""
    rows = {student: np.ones((1, SIZE), np.float32)}
    publish(folder, rows, model=MODEL, traits=traits_of(MODEL), encoding_size=SIZE)
    made = current_version(folder)
    assert made is not None
    return made


def test_a_machine_is_held_against_the_index_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is published during a run is what machines have that join, come back or are asked again."""
    monkeypatch.delenv(VARIABLE, raising=False)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    first = new_index(ours, "red")

    def index() -> str:
        return current_version(ours) or "none"

    admission = admission_of(build, build().info, ours, index, print)
    assert admission.judge(facts(admission.argument)[0]) is None
    before, _ = facts(FactsJob(build, ours))
    second = new_index(ours, "green")
    assert second != first
    assert admission.judge(facts(admission.argument)[0]) is None
    refusal = admission.judge(before)
    assert refusal is not None
    assert refusal.passes
    assert refusal.why.endswith(f"another version of the index: {first}, where the run has {second}")
    monkeypatch.setenv("ATTENDANCE_GALLERY_INDEX", str(theirs))
    refusal = admission.judge(facts(admission.argument)[0])
    assert refusal is not None
    assert refusal.passes
