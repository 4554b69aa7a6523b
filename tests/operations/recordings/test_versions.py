"""A machine that runs with something else is named, with both."""

from dataclasses import replace

import pytest

from operations.recordings.versions import (
    FactsJob,
    MachineFacts,
    admission_of,
    facts,
    name_of_code,
    name_of_libraries,
)
from tests.recognition_service.engines import build

WANTED = MachineFacts("here", name_of_code(), "sface 1", "000001", "3.11.7", name_of_libraries())


def test_a_machine_with_the_same_may_work() -> None:
    assert replace(WANTED, machine="there").differs(WANTED) is None


@pytest.mark.parametrize(
    ("field", "what"),
    [("code", "code"), ("models", "models"), ("index", "index"), ("python", "Python"), ("libraries", "libraries")],
)
def test_a_machine_with_another_version_is_named_with_both(field: str, what: str) -> None:
    told = replace(WANTED, machine="there", **{field: "other"}).differs(WANTED)
    assert told == f"there has another version of the {what}: other, where the run has {getattr(WANTED, field)}"


def test_the_libraries_that_decode_and_compute_are_named() -> None:
    assert {"av", "openvino", "onnxruntime"} <= {one.split()[0] for one in name_of_libraries().split(", ")}


def test_an_index_published_during_a_run_is_what_machines_are_to_have(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build()
    now = ["000001"]
    told, _ = facts(FactsJob(build, None))
    judge = admission_of(build, engine.info, None, lambda: now[0], lambda _: None).judge
    assert judge(replace(told, index="000001")) is None
    now[0] = "000002"
    assert judge(replace(told, index="000002")) is None
    assert "another version of the index: 000001, where the run has 000002" in str(judge(replace(told, index="000001")))
