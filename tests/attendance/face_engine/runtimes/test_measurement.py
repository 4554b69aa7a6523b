import json
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.runtimes.measurement import Trial, measure, timings_for

KEY = ["a processor", "2 threads"]


def waiting(seconds: float, made: list[str] | None = None) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        if made is not None:
            made.append("ready")
        return lambda: time.sleep(seconds)

    return prepare


def unready() -> Callable[[], object]:
    raise ModelError("this runtime cannot run the model")


def test_each_candidate_is_timed_and_one_that_cannot_run_is_left_out() -> None:
    trials = [
        Trial("search", "openvino", "bf16", waiting(0.002)),
        Trial("search", "openvino", "int8", unready),
        Trial("search", "onnxruntime", "fp32", waiting(0.02)),
    ]
    timings = measure(trials)
    assert [(one.runtime, one.precision) for one in timings] == [("openvino", "bf16"), ("onnxruntime", "fp32")]
    assert 2 <= timings[0].milliseconds < 15
    assert 20 <= timings[1].milliseconds < 60
    with pytest.raises(ModelError, match="this runtime cannot run the model"):
        measure([trials[1]])


def test_the_answer_is_kept_under_all_that_it_depends_on(tmp_path: Path) -> None:
    made: list[str] = []
    trials = [Trial("search", "openvino", "fp32", waiting(0.001, made))]
    first = timings_for(tmp_path / "models", KEY, trials)
    assert timings_for(tmp_path / "models", KEY, trials) == first
    assert len(made) == 1
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".json"], "no lock is left"
    timings_for(tmp_path / "models", [*KEY, "another version"], trials)
    timings_for(tmp_path / "models", KEY, [*trials, Trial("search", "openvino", "bf16", waiting(0.001))])
    assert len(made) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: b"",
        lambda kept: b"{]",
        lambda kept: b"[]",
        lambda kept: b'{"timings": []}',
        lambda kept: json.dumps(kept | {"key": ["other"]}).encode(),
        lambda kept: json.dumps(kept | {"timings": []}).encode(),
        lambda kept: json.dumps(kept | {"timings": [{"part": "search"}]}).encode(),
        lambda kept: json.dumps(kept | {"timings": [kept["timings"][0] | {"milliseconds": -1}]}).encode(),
        lambda kept: json.dumps(kept | {"timings": [kept["timings"][0] | {"precision": "fp1"}]}).encode(),
    ],
)
def test_a_spoiled_answer_is_measured_again(tmp_path: Path, spoil: Callable[[dict[str, object]], bytes]) -> None:
    made: list[str] = []
    trials = [Trial("search", "openvino", "fp32", waiting(0.001, made))]
    timings_for(tmp_path, KEY, trials)
    (path,) = tmp_path.iterdir()
    path.write_bytes(spoil(json.loads(path.read_bytes())))
    assert timings_for(tmp_path, KEY, trials)[0].precision == "fp32"
    assert len(made) == 2


def test_a_folder_that_cannot_be_written_costs_only_the_keeping(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    trials = [Trial("search", "openvino", "fp32", waiting(0.001))]
    assert timings_for(tmp_path / "file" / "models", KEY, trials)[0].precision == "fp32"


def in_another_process(folder: Path, answers: "multiprocessing.Queue[tuple[float, bool]]") -> None:
    made: list[str] = []
    timings = timings_for(folder, KEY, [Trial("search", "openvino", "fp32", waiting(0.05, made))])
    answers.put((timings[0].milliseconds, bool(made)))


def test_of_processes_that_start_at_once_one_measures(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=in_another_process, args=(tmp_path, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [answers.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(60)
    assert len({milliseconds for milliseconds, _ in found}) == 1, "all have the answer of the one"
    assert sum(made for _, made in found) == 1
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]


def die_while_measuring(folder: Path) -> None:
    def prepare() -> Callable[[], object]:
        os._exit(9)

    timings_for(folder, KEY, [Trial("search", "openvino", "fp32", prepare)])


def test_a_process_that_dies_while_it_measures_holds_nobody_up(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_while_measuring, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == 9
    start = time.monotonic()
    assert timings_for(tmp_path, KEY, [Trial("search", "openvino", "fp32", waiting(0.001))])
    assert time.monotonic() - start < 10
