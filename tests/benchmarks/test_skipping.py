"""Following, and looking less at frames, change nobody's register, on each clip of the benchmark and for real."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.database.models import Status
from attendance.face_engine.faces import find_faces
from attendance.face_engine.images import decode_image
from attendance.face_engine.opencv_engine import OpenCvEngine
from benchmarks.service import scenes
from benchmarks.service.campus import furnish
from benchmarks.service.registers import Entry, differences
from benchmarks.skipping import FOLLOWING, Clip, broken_by, send_all, send_each, table

EVERY_FACE, BOTH = "every face of every frame", "both"
FILLING_FRAMES, SEAT_RATE = 12, 0.2
VIDEO_RATE, VIDEO_STEP = 29.97, 7


def test_whose_times_are_other_than_the_rule_allows_is_named() -> None:
    usual = {who: Entry(Status.LATE, 10.0, 100.0) for who in ("a", "b", "c", "d", "e")}
    other = {
        "a": Entry(Status.LATE, 10.0, 40.0),
        "b": Entry(Status.LATE, 10.0, 39.5),
        "c": Entry(Status.LATE, 10.5, 100.0),
        "d": Entry(Status.PRESENT, 10.0, 100.0),
        "f": Entry(Status.LATE, 10.0, 100.0),
    }
    lines = differences(usual, other, older_s=60.0)
    assert [line.partition(":")[0] for line in lines] == ["e", "f", "b", "c", "d"]
    assert differences(usual, usual, older_s=0.0) == []
    earlier, later = {"a": other["a"]}, {"a": usual["a"]}
    assert differences(earlier, later, older_s=60.0), "nobody is last seen later"
    assert differences(earlier, later, older_s=60.0, newer_s=60.0) == []


@pytest.mark.long("a hall's frames are made, and two services started and sent them")
def test_the_register_of_a_hall_that_fills_is_the_same(tmp_path: Path, pictures: Path, opencv_models: Path) -> None:
    """A minute of it, in which ten are confirmed and the first of them settled, with neither and with both."""
    engine = OpenCvEngine()
    people = scenes.cast(engine, pictures)
    clip = Clip(tmp_path / "filling", SEAT_RATE)
    scenes.write_hall(people, clip.folder, frames=FILLING_FRAMES, sway=8.0, arriving=True)
    gallery = scenes.gallery_of(people)
    campus = furnish(tmp_path, engine, gallery, tuple(gallery), {"camera": 2})
    engine.close()
    settings = {how: FOLLOWING[how] for how in (EVERY_FACE, BOTH)}
    seen = send_each(campus, clip, list(campus.tokens.items()), settings)
    assert broken_by(BOTH, seen, settings) == [], table(seen, settings)
    assert len(seen[EVERY_FACE].register) >= 10
    assert seen[EVERY_FACE].encoded > 0.9 * seen[EVERY_FACE].found, "all but those too small to be named"
    assert seen[BOTH].encoded < seen[BOTH].found, "some are followed"


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_registers_are_the_same_on_every_clip(tmp_path: Path, opencv_models: Path) -> None:
    broken = []
    for name, seen in send_all(tmp_path / "campuses", FOLLOWING):
        assert seen[EVERY_FACE].register, name
        broken += [f"{name}, {how}: {line}" for how in FOLLOWING for line in broken_by(how, seen, FOLLOWING)]
    assert broken == []


def enrolled(engine: OpenCvEngine, photos: Path) -> dict[str, NDArray[np.float32]]:
    """The encodings of people's photos, by the names of their folders."""
    rows = {}
    for folder in sorted(photos.iterdir()):
        images = [decode_image(path.read_bytes(), max_pixels=16_000_000) for path in sorted(folder.iterdir())]
        rows[folder.name] = np.stack([faces[0].encoding for faces in find_faces(engine, images) if faces])
    return rows


def cut_up(video: Path, folder: Path) -> Path:
    """Every seventh frame of a video as a JPEG; returns the folder."""
    folder.mkdir()
    reading, number = cv2.VideoCapture(str(video)), 0
    while (frame := reading.read())[0]:
        if number % VIDEO_STEP == 0:
            cv2.imwrite(str(folder / f"{number:05d}.jpg"), frame[1])
        number += 1
    reading.release()
    return folder


@pytest.mark.timeout(600)
def test_registers_of_a_real_video_are_the_same(tmp_path: Path, shared_faces: Path, opencv_models: Path) -> None:
    engine = OpenCvEngine()
    gallery = enrolled(engine, shared_faces / "enrol")
    campus = furnish(tmp_path, engine, gallery, tuple(gallery), {"camera": len(FOLLOWING)})
    engine.close()
    clip = Clip(cut_up(shared_faces / "hamilton_clip.mp4", tmp_path / "video"), VIDEO_RATE / VIDEO_STEP)
    seen = send_each(campus, clip, list(campus.tokens.items()), FOLLOWING)
    assert not any(broken_by(how, seen, FOLLOWING) for how in FOLLOWING), table(seen, FOLLOWING)
    assert seen[EVERY_FACE].register.keys() == {"lin_manuel_miranda"}
