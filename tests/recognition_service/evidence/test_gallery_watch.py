"""The gallery in use, over real published indexes in a real folder."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from attendance.gallery.format import delete_older_versions, publish
from attendance.settings.families import Family, traits_of
from attendance.settings.model import MatchingSettings
from recognition_service.errors import UnavailableError
from recognition_service.evidence.gallery_watch import GalleryWatch
from tests.indexes import falsify
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine, encoding_of

ENGINE = ColourEngine().info
RED = encoding_of((200, 60, 60))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def watch(folder: Path) -> GalleryWatch:
    return GalleryWatch(folder, MatchingSettings().rules(Family.DLIB), interval_s=0.01)


def put(folder: Path, *students: str, model: str = MODEL, size: int = SIZE) -> str:
    rows = {student: np.full((1, size), place, np.float32) for place, student in enumerate(students)}
    return publish(folder, rows, model=model, traits=traits_of(model), encoding_size=size)[0].version


def version_of(watch: GalleryWatch) -> str | None:
    return watch.gallery.version if watch.gallery else None


def test_before_anything_is_loaded_there_is_no_matcher(watch: GalleryWatch) -> None:
    with pytest.raises(UnavailableError, match="being loaded"):
        _ = watch.matcher
    assert watch.gallery is None


async def test_the_current_index_is_loaded(watch: GalleryWatch, folder: Path) -> None:
    version = put(folder, "s1", "s2")
    await watch.load(ENGINE)
    assert version_of(watch) == version
    assert watch.matcher.gallery.identities == ("s1", "s2")


async def test_without_an_index_the_gallery_is_empty_and_the_log_says_so_once(watch: GalleryWatch) -> None:
    with capture_logs() as logs:
        await watch.load(ENGINE)
        await watch.refresh()
    assert version_of(watch) is None
    assert watch.matcher.gallery.identities == ()
    (event,) = logs
    assert event["event"] == "index_not_loaded"
    assert "attendance index build" in event["reason"]


async def test_a_newly_published_index_is_swapped_in(watch: GalleryWatch, folder: Path) -> None:
    await watch.load(ENGINE)
    task = asyncio.create_task(watch.watch())
    try:
        for students in (("s1",), ("s1", "s2")):
            version = put(folder, *students)
            async with asyncio.timeout(30):
                while version_of(watch) != version:
                    await asyncio.sleep(0.01)
            assert watch.matcher.gallery.identities == students
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("damaged", ["encodings.npy", "labels.json", "manifest.json", "CURRENT"])
async def test_a_broken_index_is_refused_and_the_old_one_stays(watch: GalleryWatch, folder: Path, damaged: str) -> None:
    old = put(folder, "s1")
    await watch.load(ENGINE)
    matcher = watch.matcher
    new = put(folder, "s1", "s2")
    path = folder / damaged if damaged == "CURRENT" else folder / "versions" / new / damaged
    path.write_bytes(path.read_bytes()[:-20])

    with capture_logs() as logs:
        await watch.refresh()
        await watch.refresh()

    assert watch.matcher is matcher
    (event,) = logs
    assert (event["event"], event["in_use"]) == ("index_not_loaded", old)
    assert "damaged" in event["reason"]


async def test_an_index_of_right_hashes_and_wrong_labels_is_refused_at_start_and_later(
    watch: GalleryWatch, folder: Path
) -> None:
    labels = {"labels.json": b'{"s1": 1}'}
    false = put(folder, "s1")
    falsify(folder, false, labels)
    with capture_logs() as logs:
        await watch.load(ENGINE)
    assert version_of(watch) is None
    assert [(event["event"], event["version"]) for event in logs] == [("index_not_loaded", false)]
    assert "labels.json cannot be used: not labels" in logs[0]["reason"]

    good = put(folder, "s1")
    await watch.refresh()
    matcher = watch.matcher
    falsify(folder, put(folder, "s1", "s2"), labels)
    with capture_logs() as logs:
        task = asyncio.create_task(watch.watch())
        await asyncio.sleep(0.3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert watch.matcher is matcher
    assert [(event["event"], event["in_use"]) for event in logs] == [("index_not_loaded", good)]
    assert not logs[0].get("exc_info")


async def test_what_nobody_thought_of_costs_one_traceback_and_the_old_one_stays(
    watch: GalleryWatch, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = put(folder, "s1")
    await watch.load(ENGINE)
    put(folder, "s1", "s2")

    def fail(*_args: object, **_named: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("recognition_service.evidence.gallery_watch.load_gallery", fail)
    with capture_logs() as logs:
        for _ in range(5):
            await watch.refresh()
    assert version_of(watch) == good
    (event,) = logs
    assert (event["event"], event["in_use"], event["exc_info"]) == ("index_not_loaded", good, True)


async def test_after_a_broken_index_the_next_good_one_is_used(watch: GalleryWatch, folder: Path) -> None:
    await watch.load(ENGINE)
    broken = put(folder, "s1")
    (folder / "versions" / broken / "labels.json").write_text("[]")
    await watch.refresh()
    good = put(folder, "s1", "s2")
    await watch.refresh()
    assert version_of(watch) == good


@pytest.mark.parametrize(("model", "size", "sentence"), [("other", SIZE, "other"), (MODEL, 64, "64 numbers")])
async def test_an_index_of_another_model_is_refused(
    watch: GalleryWatch, folder: Path, model: str, size: int, sentence: str
) -> None:
    put(folder, "s1", model=model, size=size)
    with capture_logs() as logs:
        await watch.load(ENGINE)
    assert version_of(watch) is None
    assert sentence in logs[0]["reason"]


async def test_an_index_that_was_taken_away_stays_in_use(watch: GalleryWatch, folder: Path) -> None:
    version = put(folder, "s1")
    await watch.load(ENGINE)
    (folder / "CURRENT").unlink()
    await watch.refresh()
    assert version_of(watch) == version


async def test_versions_deleted_while_one_is_in_use(watch: GalleryWatch, folder: Path) -> None:
    put(folder, "erased", "s2")
    await watch.load(ENGINE)
    face = np.zeros((1, SIZE), np.float32)
    new = put(folder, "s2")
    assert len(delete_older_versions(folder)) == 1
    assert watch.matcher.gallery.nearest(face)[0][0].student == "erased", "until the next look at the folder"
    await watch.refresh()
    assert version_of(watch) == new
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(folder) in line]
    assert maps
    assert not any("(deleted)" in line for line in maps), "the service has let go of who was erased"
