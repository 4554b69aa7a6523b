import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import pytest
from structlog.testing import capture_logs

from camera_client.frames import CapturedFrame, Playback, SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.recorded import PictureFolder, VideoFile
from tests.camera_client.moving_pictures import number_of, picture, write_video

START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def video_file(path: Path, *, rate: float = 2, loop: bool = False, paced: bool = False) -> VideoFile:
    playback = Playback(paced=paced, start=START)
    return VideoFile(path, encoder=JpegEncoder(), rate=rate, playback=playback, loop=loop)


def folder_of(path: Path, *, rate: float = 2, loop: bool = False, encoder: JpegEncoder | None = None) -> PictureFolder:
    playback = Playback(paced=False, start=START)
    return PictureFolder(path, encoder=encoder or JpegEncoder(), rate=rate, playback=playback, loop=loop)


def all_of(source: VideoFile | PictureFolder, most: int = 1000) -> list[CapturedFrame]:
    frames = []
    for frame in source.frames(threading.Event()):
        frames.append(frame)
        if len(frames) == most:
            break
    return frames


def seconds(frames: list[CapturedFrame]) -> list[float]:
    return [round((frame.captured_at - START).total_seconds(), 3) for frame in frames]


@pytest.mark.parametrize("clip", ["video", "mp4"])
def test_a_video_is_sampled_by_its_own_time(clip: str, request: pytest.FixtureRequest) -> None:
    frames = all_of(video_file(request.getfixturevalue(clip), rate=2))
    assert seconds(frames) == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert [number_of(frame.jpeg) for frame in frames] == [0, 5, 10, 15, 20, 25]
    assert frames[1].label == "0.50 s"


def test_a_rate_beyond_the_videos_takes_every_frame(video: Path) -> None:
    assert len(all_of(video_file(video, rate=60))) == 30


def test_time_goes_on_when_a_video_loops(video: Path) -> None:
    frames = all_of(video_file(video, rate=1, loop=True), most=7)
    assert seconds(frames) == [0, 1, 2, 3, 4, 5, 6]
    assert [number_of(frame.jpeg) for frame in frames[:4]] == [0, 10, 20, 0]


def test_a_video_is_played_in_real_time(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "short.avi", 6, codec="MJPG")
    started = time.monotonic()
    frames = all_of(video_file(clip, rate=10, paced=True))
    assert time.monotonic() - started >= 0.49
    assert seconds(frames) == [0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_stopping_ends_a_paced_video_soon(video: Path) -> None:
    stop = threading.Event()
    frames = video_file(video, rate=0.4, paced=True).frames(stop)
    next(frames)
    threading.Timer(0.1, stop.set).start()
    assert list(frames) == []


def test_a_cut_off_video_gives_what_it_has_and_says_what_is_missing(video: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.avi"
    cut.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    frames = video_file(cut, rate=60).frames(threading.Event())
    given: list[CapturedFrame] = []
    with pytest.raises(SourceError, match=r"cut.avi: damaged: pictures are missing from 1.\d s to 3.0 s"):
        given.extend(frames)
    assert 0 < len(given) < 30


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.mp4", None, "no such file"),
        ("empty.mp4", b"", "the file is empty"),
        ("text.mp4", b"hello\n" * 100, "not a video"),
        ("text.txt", b"hello\n" * 100, "not a video"),
        ("noise.mp4", bytes(range(256)) * 40, "not a video"),
    ],
)
def test_what_is_no_video_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=f"{name}.*{reason}"):
        all_of(video_file(path))


def test_pictures_come_sorted_by_name_one_an_interval(folder: Path) -> None:
    frames = all_of(folder_of(folder, rate=4))
    assert [frame.label for frame in frames] == ["00.jpg", "01.png", "02.bmp", "03.jpg", "04.png", "05.bmp"]
    assert [number_of(frame.jpeg) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert seconds(frames) == [0, 0.25, 0.5, 0.75, 1, 1.25]


def test_jpeg_files_are_sent_byte_for_byte(folder: Path) -> None:
    assert all_of(folder_of(folder))[0].jpeg == (folder / "00.jpg").read_bytes()


def test_too_wide_jpeg_files_are_scaled(folder: Path) -> None:
    jpeg = all_of(folder_of(folder, encoder=JpegEncoder(max_width=80)))[0].jpeg
    assert jpeg != (folder / "00.jpg").read_bytes()


def test_a_damaged_picture_is_logged_and_skipped(folder: Path) -> None:
    (folder / "01.png").write_bytes(b"no picture at all")
    whole = (folder / "03.jpg").read_bytes()
    (folder / "03.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "04.png").write_bytes(b"")
    with capture_logs() as events:
        frames = all_of(folder_of(folder, rate=2))
    assert [frame.label for frame in frames] == ["00.jpg", "02.bmp", "05.bmp"]
    assert seconds(frames) == [0, 0.5, 1]
    skipped = {Path(event["file"]).name: event["reason"] for event in events if event["event"] == "picture_skipped"}
    assert skipped == {
        "01.png": "it is no picture, or a damaged one",
        "03.jpg": "it is cut off before its end",
        "04.png": "it is empty",
    }


def test_other_files_of_the_folder_are_left_alone(folder: Path) -> None:
    (folder / "notes.txt").write_text("hello")
    (folder / "._00.jpg").write_bytes(b"of a Mac")
    (folder / "sub.jpg").mkdir()
    with capture_logs() as events:
        assert len(all_of(folder_of(folder))) == 6
    assert events == []


def test_a_folder_loops_and_takes_new_pictures_along(folder: Path) -> None:
    frames = folder_of(folder, rate=1, loop=True).frames(threading.Event())
    for _ in range(6):
        next(frames)
    assert cv2.imwrite(str(folder / "06.jpg"), picture(6))
    labels = [next(frames).label for _ in range(7)]
    assert labels[-1] == "06.jpg"


def test_a_single_picture_is_a_folder_of_one(folder: Path) -> None:
    assert [frame.label for frame in all_of(folder_of(folder / "04.png"))] == ["04.png"]


def test_folders_without_a_usable_picture_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no pictures in this folder"):
        all_of(folder_of(tmp_path))
    (tmp_path / "a.jpg").write_bytes(b"broken")
    with pytest.raises(SourceError, match="none of its pictures can be read"):
        all_of(folder_of(tmp_path, loop=True))
