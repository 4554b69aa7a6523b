"""Pictures read stretch by stretch are those of the whole video, at the same places; damage is told where it is."""

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from camera_client.frames import Playback, SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.recorded import VideoFile
from operations.recordings.decoding import StretchPictures
from operations.recordings.stretches import VideoPlan, header_length, plan_video
from tests.operations.recordings.lectures import Scene, damage, write_clip

RATE = 2.0
SCENES = [Scene(4, "red"), Scene(3, "green"), Scene(5.3, "blue")]
BEGIN = datetime(2025, 3, 3, 9, tzinfo=UTC)


def whole(path: Path) -> list[tuple[float, np.ndarray]]:
    """What a camera makes of the file: places, and thumbnails of pictures."""
    import threading  # noqa: PLC0415

    video = VideoFile(path, encoder=JpegEncoder(quality=95), rate=RATE, playback=Playback(paced=False, start=BEGIN))
    frames = []
    try:
        for frame in video.frames(threading.Event()):
            image = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image is not None
            frames.append(((frame.captured_at - BEGIN).total_seconds(), image))
    except SourceError:
        pass
    return frames


def by_stretches(path: Path, plan: VideoPlan) -> list[tuple[float, np.ndarray]]:
    frames = []
    for stretch in plan.stretches:
        frames += list(StretchPictures(path, stretch, RATE).pictures(0, np.inf))
    return frames


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("plain.mp4", {}),
        ("plain.mkv", {}),
        ("plain.avi", {"codec": "mpeg4"}),
        ("uneven.mp4", {"uneven": True}),
        ("uneven.mkv", {"uneven": True, "gop": 7}),
        ("stream.ts", {}),
    ],
)
def test_stretches_give_the_pictures_of_the_whole(tmp_path: Path, name: str, how: dict[str, object]) -> None:
    path = write_clip(tmp_path / name, SCENES, **how)  # type: ignore[arg-type]
    plan = plan_video(path, 2.0)
    assert len(plan.stretches) >= 4
    assert plan.length_s == pytest.approx(12.3, abs=0.3)
    assert plan.lost_end is None
    expected, found = whole(path), by_stretches(path, plan)
    assert [round(place, 3) for place, _ in found] == [round(place, 3) for place, _ in expected]
    for (_, one), (_, other) in zip(found, expected, strict=True):
        assert float(np.abs(one.astype(int) - other.astype(int)).mean()) < 4


def test_a_video_of_one_key_frame_is_one_stretch(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "long.mp4", SCENES, gop=1000)
    plan = plan_video(path, 2.0)
    assert len(plan.stretches) == 1
    assert len(by_stretches(path, plan)) == len(whole(path))


def test_the_length_is_in_the_header(tmp_path: Path) -> None:
    assert header_length(write_clip(tmp_path / "clip.mp4", SCENES)) == pytest.approx(12.3, abs=0.2)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_damage_is_told_where_it_is_and_the_rest_is_read(tmp_path: Path, suffix: str) -> None:
    path = write_clip(tmp_path / f"clip{suffix}", [Scene(12, "red"), Scene(9, "green"), Scene(9, "blue")])
    damage(path, 0.4, 0.5)
    plan = plan_video(path, 2.0)
    missing, found = [], 0
    for stretch in plan.stretches:
        source = StretchPictures(path, stretch, RATE)
        found += len(list(source.pictures(0, np.inf)))
        missing += source.missing
    assert plan.lost_end is None
    assert missing
    assert all(11 < begins < ends < 19 for begins, ends in missing)
    assert abs(found - len(whole(path))) <= 1
    assert 30 < found < 60


def test_a_video_that_lost_its_end_is_told(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.avi", SCENES, codec="mpeg4")
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    plan = plan_video(path, 2.0)
    assert plan.length_s < 9
    assert plan.lost_end is not None
    assert plan.lost_end[1] == pytest.approx(12.3, abs=0.3)


@pytest.mark.parametrize("content", [b"", b"no video at all", b"\0\0\0\x18ftypmp42" + b"\0" * 100])
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"clip\.mp4"):
        plan_video(path, 2.0)
