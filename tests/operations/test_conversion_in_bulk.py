"""Ten thousand photos are converted by processes, and by a Ray cluster, one node and the run of which are killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Student
from attendance.gallery.format import load_gallery
from attendance.gallery.publishing import build_index
from attendance.gallery.store import Store, StoreError, read_store
from attendance.settings.families import SFACE_MODEL, traits_of
from tests.databases import make_tables
from tests.operations.many_photos import students, write_many
from tests.operations.runners.ray_nodes import OTHER, of_session, two_nodes
from tests.stores import write_store

PHOTOS = int(os.environ.get("TEST_PHOTOS", "10000"))
"""Fewer for a first look; the tests that kill need more than a minute of them, which is how often a store is saved."""
LONGEST_S = 60 + 0.5 * PHOTOS
ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.exhaustive, pytest.mark.timeout(3 * LONGEST_S)]


@dataclass
class Gallery:
    """An installation whose gallery was made by dlib's models, and whose photos are kept."""

    data: Path
    environment: dict[str, str]

    @property
    def store(self) -> Path:
        return self.data / "gallery" / "encodings.pickle"

    @property
    def second(self) -> Store | None:
        """What is converted; None: nothing yet."""
        with suppress(StoreError):
            return read_store(self.data / "gallery" / "encodings.of-opencv.pickle")
        return None

    def begin(self, on: str, **environment: str) -> "subprocess.Popen[bytes]":
        """The command in a process of its own; what it says goes to a file, which takes as much as comes."""
        program = "from operations.cli.main import main; main()"
        with self.said.open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-c", program, "gallery", "convert", "--to", "opencv", "--on", on, "--partial"],
                env={**self.environment, **environment},
                cwd=self.data,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def said(self) -> Path:
        return self.data / "said.txt"

    def convert(self, on: str, **environment: str) -> str:
        """What the command says, which must end well."""
        process = self.begin(on, **environment)
        process.wait(LONGEST_S)
        assert process.returncode == 0, self.said.read_text()[-3000:]
        return self.said.read_text()

    def until_converted(self, process: "subprocess.Popen[bytes]", more_than: int = 0) -> Store:
        """Wait until more students than so many are converted, and not all."""
        until = time.monotonic() + LONGEST_S
        while (found := self.second) is None or len(found.encodings) <= more_than:
            assert process.poll() is None, self.said.read_text()[-3000:]
            assert time.monotonic() < until
            time.sleep(0.5)
        return found


@contextmanager
def gallery_of_dlib(folder: Path, photos: int) -> Iterator[Gallery]:
    data = folder / "data"
    gallery = Gallery(
        data,
        {
            **os.environ,
            "ATTENDANCE_DATA_DIRECTORY": str(data),
            "ATTENDANCE_ENGINE_PRECISION": "fp32",  # else each process chooses what is fastest just then
            "ATTENDANCE_ENGINE_ENCODER_PRECISION": "fp32",
            "PYTHONPATH": str(ROOT),
        },
    )
    store = write_many(folder / "photos", photos)
    write_store(gallery.store, store)
    build_index(gallery.store, data / "gallery" / "index", traits_of=traits_of)
    database = create_database_engine(f"sqlite:///{data / 'attendance.db'}")
    make_tables(database)
    with session_factory(database).begin() as db:
        for student in store.encodings:
            db.add(Student(index_number=student, name=student, consent_given_at=datetime(2025, 10, 1, tzinfo=UTC)))
    database.dispose()
    yield gallery


def to_be_encoded(output: str) -> int:
    found = re.search(r"([\d,]+) photos are to be encoded", output)
    assert found is not None, output[-3000:]
    return int(found[1].replace(",", ""))


def require_same(one: Store, other: Store) -> None:
    """The same photos, and the same encodings of each."""
    assert one.model == other.model == SFACE_MODEL
    assert sorted(one.encodings) == sorted(other.encodings)
    for student, rows in one.encodings.items():
        origins, others = one.provenance[student], other.provenance[student]
        assert [origin.photo_sha256 for origin in origins] == [origin.photo_sha256 for origin in others]
        assert [origin.set_aside for origin in origins] == [origin.set_aside for origin in others]
        np.testing.assert_allclose(rows, other.encodings[student], atol=1e-5)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """What all photos come to, by two processes of this machine."""
    with gallery_of_dlib(tmp_path_factory.mktemp("undisturbed"), PHOTOS) as gallery:
        began = time.monotonic()
        output = gallery.convert("local:2")
        print(f"{PHOTOS} photos in {time.monotonic() - began:.0f} s by two processes")  # noqa: T201 - the figure is what it is run for
        assert to_be_encoded(output) == PHOTOS
        assert len(load_gallery(gallery.data / "gallery" / "index", model=SFACE_MODEL).identities) == len(students(1))
        return read_store(gallery.store)


def test_all_photos_are_converted_by_processes(undisturbed: Store) -> None:
    encodings = sum(len(rows) for rows in undisturbed.encodings.values())
    assert sorted(undisturbed.encodings) == sorted(students(PHOTOS))
    assert encodings > 0.97 * PHOTOS  # a face that is turned and cut is none, or somebody else's


def test_stopped_and_killed_here_the_gallery_is_the_same(undisturbed: Store, tmp_path: Path) -> None:
    with gallery_of_dlib(tmp_path, PHOTOS) as gallery:
        process = gallery.begin("local:2")
        first = gallery.until_converted(process)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        output = gallery.said.read_text()
        assert process.returncode == 130, output[-3000:]
        assert "give the same command to go on" in output
        until = time.monotonic() + 20
        while of_session(process.pid):  # its processes end a moment after it
            assert time.monotonic() < until
            time.sleep(0.1)
        kept = gallery.second
        assert kept is not None
        assert len(kept.encodings) >= len(first.encodings)
        process = gallery.begin("local:2")
        second = gallery.until_converted(process, len(kept.encodings))
        process.kill()
        process.wait(60)
        assert to_be_encoded(gallery.convert("local:2")) == photos_beside(second)
        require_same(read_store(gallery.store), undisturbed)


@pytest.mark.timeout(4 * LONGEST_S)
def test_on_two_nodes_one_of_which_and_the_run_are_killed_the_gallery_is_the_same(
    undisturbed: Store, tmp_path: Path
) -> None:
    with gallery_of_dlib(tmp_path, PHOTOS) as gallery, two_nodes() as nodes:
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": nodes.token}
        began = time.monotonic()
        process = gallery.begin(nodes.on, **token)
        first = gallery.until_converted(process)
        nodes.kill(OTHER)
        second = gallery.until_converted(process, len(first.encodings))
        process.kill()
        process.wait(60)
        nodes.start(OTHER)
        output = gallery.convert(nodes.on, **token)
        print(f"{PHOTOS} photos in {time.monotonic() - began:.0f} s by two nodes, one of them dead for a while")  # noqa: T201 - the figure is what it is run for
        assert "2 processors of 2 machines" in output
        assert to_be_encoded(output) == photos_beside(second)
        require_same(read_store(gallery.store), undisturbed)


def photos_beside(done: Store) -> int:
    """How many are left when these are encoded; those of one with a photo that cannot be used are tried again."""
    return sum(count - len(done.encodings.get(student, ())) for student, count in students(PHOTOS).items())
