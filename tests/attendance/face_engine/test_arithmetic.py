from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.face_engine import arithmetic
from attendance.face_engine.arithmetic import ENCODING, SEARCH, ArithmeticChoice, Work, choose
from attendance.face_engine.interface import ModelError, Timing
from attendance.face_engine.runtimes.measurement import Trial


@dataclass
class TableRuntime:
    """A runtime by name, with the precisions of a processor."""

    name: str
    precisions: tuple[str, ...]
    on_gpu: bool = False

    @property
    def title(self) -> str:
        return f"{self.name} 1.0"

    @property
    def device(self) -> str:
        return "CPU"

    def load(self, model: bytes, *, precision: str) -> "TableRuntime":
        return self

    def run(self, values: NDArray[Any]) -> NDArray[np.float32]:
        return np.zeros(1, np.float32)


PRECISIONS = {"openvino": ("bf16", "int8", "fp32"), "onnxruntime": ("fp32", "int8")}
ASKED = {SEARCH: "auto", ENCODING: "auto"}


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Mapping[str, float]], list[str]]:
    """`machine({"search openvino bf16": 3.0, ...})`: how long each candidate takes; gives those asked about."""
    monkeypatch.setattr(arithmetic, "start", lambda name, threads: TableRuntime(name, PRECISIONS[name]))
    monkeypatch.setattr(arithmetic, "best_installed", lambda: "openvino")

    def of(table: Mapping[str, float]) -> list[str]:
        asked: list[str] = []

        def timings_for(folder: Path, key: list[str], trials: list[Trial]) -> tuple[Timing, ...]:
            names = [f"{trial.part} {trial.runtime} {trial.precision}" for trial in trials]
            asked.extend(names)
            return tuple(
                Timing(trial.part, trial.runtime, trial.precision, table[name])
                for trial, name in zip(trials, names, strict=True)
                if name in table
            )

        monkeypatch.setattr(arithmetic, "timings_for", timings_for)
        return asked

    return of


def run(precisions: Mapping[str, str] = ASKED, *, runtime: str = "auto") -> ArithmeticChoice:
    work = Work(("bf16", "int8", "fp32"), lambda runtime, _: runtime.load(b"", precision=""), lambda: np.zeros(1), {})
    search = Work(work.precisions, work.load, work.sample, {"int8": 0.3})
    return choose(
        runtime=runtime,
        precisions=precisions,
        works={SEARCH: search, ENCODING: work},
        threads=1,
        folder=Path("/none"),
        models=["m"],
    )


FAST_BF16 = {
    "search openvino bf16": 5.0, "search openvino int8": 4.0, "search openvino fp32": 10.0,
    "search onnxruntime fp32": 12.0, "search onnxruntime int8": 11.0,
    "encoding openvino bf16": 3.0, "encoding openvino int8": 2.5, "encoding openvino fp32": 9.0,
    "encoding onnxruntime fp32": 8.0, "encoding onnxruntime int8": 9.0,
}  # fmt: skip


def test_the_fastest_of_each_part_with_what_deciding_costs(machine: Callable[[Mapping[str, float]], list[str]]) -> None:
    asked = machine(FAST_BF16)
    choice = run()
    assert (choice.runtime.title, choice.search, choice.encoding) == ("openvino 1.0", "bf16", "int8")
    assert len(choice.timings) == len(asked) == 10
    machine(FAST_BF16 | {"search openvino int8": 1.0})
    assert run().search == "int8"


def test_one_runtime_computes_both_parts(machine: Callable[[Mapping[str, float]], list[str]]) -> None:
    machine(FAST_BF16 | {"search onnxruntime fp32": 0.2, "encoding onnxruntime fp32": 7.0})
    assert run().runtime.title == "onnxruntime 1.0", "0.2 and 7.0 are less than 5.0 and 2.5"
    machine(FAST_BF16 | {"search onnxruntime fp32": 0.8, "encoding onnxruntime fp32": 7.0})
    assert run().runtime.title == "openvino 1.0"


def test_a_runtime_that_cannot_do_a_part_is_not_chosen(machine: Callable[[Mapping[str, float]], list[str]]) -> None:
    machine({"search onnxruntime fp32": 1.0, "search openvino fp32": 9.0, "encoding openvino fp32": 9.0})
    assert run().runtime.title == "openvino 1.0"
    machine({"search onnxruntime fp32": 1.0})
    with pytest.raises(ModelError, match="no runtime can compute all parts"):
        run()


def test_settings_come_before_measurements(machine: Callable[[Mapping[str, float]], list[str]]) -> None:
    asked = machine(FAST_BF16)
    choice = run({SEARCH: "fp32", ENCODING: "bf16"})
    assert (choice.runtime.title, choice.search, choice.encoding, choice.timings) == (
        "openvino 1.0",
        "fp32",
        "bf16",
        (),
    )
    assert asked == []
    choice = run({SEARCH: "int8", ENCODING: "auto"}, runtime="openvino")
    assert (choice.search, choice.encoding) == ("int8", "int8")
    assert {name.split()[1] for name in asked} == {"openvino"}
    assert [name for name in asked if name.startswith("search")] == ["search openvino int8"]


def test_what_no_runtime_has_is_named(machine: Callable[[Mapping[str, float]], list[str]]) -> None:
    machine(FAST_BF16)
    with pytest.raises(ModelError, match=r"bf16 was asked for, but onnxruntime 1\.0 on CPU has fp32, int8"):
        run({SEARCH: "bf16", ENCODING: "auto"}, runtime="onnxruntime")
    with pytest.raises(ValueError, match="there is no precision 'fp64'"):
        run({SEARCH: "fp64", ENCODING: "auto"})
