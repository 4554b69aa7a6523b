import itertools
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from camera_client.backoff import Backoff
from camera_client.frames import SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.live import LiveCamera
from tests.camera_client.live_servers import HttpCamera, RtspCamera
from tests.camera_client.moving_pictures import NUMBERS, number_of


@pytest.fixture
def http_camera() -> Iterator[HttpCamera]:
    camera = HttpCamera()
    yield camera
    camera.close()


@pytest.fixture
def rtsp_camera() -> Iterator[RtspCamera]:
    camera = RtspCamera()
    yield camera
    camera.close()


def live(address: int | str, *, ends: bool = False, give_up_after_s: float | None = None) -> LiveCamera:
    return LiveCamera(
        address,
        encoder=JpegEncoder(),
        rate=10,
        ends=ends,
        give_up_after_s=give_up_after_s,
        backoff=Backoff(0.05, 0.2),
    )


def test_http_frames_come_with_the_wall_clock(http_camera: HttpCamera) -> None:
    stop = threading.Event()
    before = datetime.now(UTC)
    frames = list(itertools.islice(live(http_camera.address).frames(stop), 5))
    times = [frame.captured_at for frame in frames]
    assert before < times[0] < times[-1] <= datetime.now(UTC)
    numbers = [number_of(frame.jpeg) for frame in frames]
    assert numbers == sorted(set(numbers))


def test_a_pause_is_caught_up_with_because_every_frame_is_read(http_camera: HttpCamera) -> None:
    frames = live(http_camera.address).frames(threading.Event())
    next(frames)
    time.sleep(1)  # twenty frames queue in the network's buffers
    behind = [(http_camera.shown - number_of(frame.jpeg)) % NUMBERS for frame in itertools.islice(frames, 20)]
    assert min(behind[1:]) < 10


def test_a_stream_that_dies_is_opened_again(http_camera: HttpCamera) -> None:
    http_camera.frames = 15
    frames = live(http_camera.address).frames(threading.Event())
    with capture_logs() as events:
        for _ in frames:
            if http_camera.visits == 3:
                break
    told = [event["event"] for event in events]
    assert told.count("source_lost") >= 2
    assert "hunter2" not in str(events)


def test_the_end_of_a_stream_can_be_the_end(http_camera: HttpCamera) -> None:
    http_camera.frames = 15
    assert len(list(live(http_camera.address, ends=True).frames(threading.Event()))) >= 1
    assert http_camera.visits == 1


def test_an_rtsp_camera_with_a_password(rtsp_camera: RtspCamera) -> None:
    source = live(rtsp_camera.address)
    with capture_logs() as events:
        frames = list(itertools.islice(source.frames(threading.Event()), 3))
    assert [frame.jpeg[:2] for frame in frames] == [b"\xff\xd8"] * 3
    numbers = [number_of(frame.jpeg) for frame in frames]
    assert numbers == sorted(set(numbers))
    assert "hunter2" not in str(events) + source.name


def test_an_rtsp_camera_that_is_cut_off_comes_back(rtsp_camera: RtspCamera) -> None:
    frames = live(rtsp_camera.address).frames(threading.Event())
    next(frames)
    rtsp_camera.cut()
    deadline = time.monotonic() + 60
    while rtsp_camera.visits < 2 and time.monotonic() < deadline:
        next(frames)
    assert next(frames).jpeg
    assert rtsp_camera.visits == 2


def test_a_wrong_password_is_one_sentence_without_it(rtsp_camera: RtspCamera) -> None:
    address = rtsp_camera.address.replace("hunter2", "hunter3")
    with capture_logs() as events, pytest.raises(SourceError, match="cannot be opened") as caught:
        next(live(address, give_up_after_s=0.3).frames(threading.Event()))
    assert "source_unavailable" in str(events)
    assert "hunter3" not in str(events) + str(caught.value)


def test_a_camera_that_is_off_is_waited_for_until_stopped() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with capture_logs() as events:
        assert list(live("rtsp://127.0.0.1:9/live").frames(stop)) == []
    assert {event["event"] for event in events} == {"source_unavailable"}


@pytest.mark.skipif(Path("/dev/video63").exists(), reason="this machine has 64 webcams")
def test_a_missing_webcam_is_one_sentence() -> None:
    with pytest.raises(SourceError, match=r"webcam 63: there is no /dev/video63 \(present: "):
        next(live(63).frames(threading.Event()))
