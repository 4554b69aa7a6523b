"""What decoders make of real videos that are interlaced or damaged: right pictures, or none, and a clear word."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from structlog.testing import capture_logs

from camera_client.backoff import Backoff
from camera_client.decoding import opencv, pyav
from camera_client.decoding.interlacing import declares_interlaced
from camera_client.decoding.opencv import OpenCvReader
from camera_client.decoding.places import VideoPlaces
from camera_client.decoding.watching import PictureWatch
from camera_client.frames import CapturedFrame, Playback, SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.live import LiveCamera
from camera_client.recorded import VideoFile
from tests.camera_client.decoding import videos
from tests.camera_client.decoding.videos import FPS, cut, damaged, encode
from tests.camera_client.live_servers import RtspCamera
from tests.camera_client.moving_pictures import number_of

pytest.importorskip("av")

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
H264, MPEG2 = "libx264", "mpeg2video"
RARE = pytest.mark.exhaustive
INTERLACED = [
    ("a.mp4", H264),
    pytest.param("a.ts", H264, marks=RARE),
    pytest.param("a.mkv", H264, marks=RARE),
    ("b.ts", MPEG2),
    pytest.param("b.mpg", MPEG2, marks=RARE),
]
PROGRESSIVE = [*INTERLACED, pytest.param("c.mp4", "mpeg4", marks=RARE), ("d.avi", "mjpeg")]


@pytest.fixture(params=["PyAV", "OpenCV"])
def decoder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Everything read by PyAV, or nothing."""
    if request.param == "OpenCV":
        monkeypatch.setattr(pyav, "is_installed", lambda: False)
    else:
        monkeypatch.setattr(opencv, "_declared", lambda capture: True)
    return str(request.param)


def played(path: Path, *, rate: float = FPS) -> tuple[list[CapturedFrame], str]:
    """What a video gives, and how it ends if badly."""
    playback = Playback(paced=False, start=START)
    frames = []
    try:
        for frame in VideoFile(path, encoder=JpegEncoder(), rate=rate, playback=playback).frames(threading.Event()):
            frames.append(frame)
    except SourceError as error:
        return frames, str(error)
    return frames, ""


def errors(frames: list[CapturedFrame]) -> list[int]:
    """By how many pictures each frame is another than the one of its time."""
    places = [round((frame.captured_at - START).total_seconds() * FPS) for frame in frames]
    return [abs(number_of(frame.jpeg) - place) for frame, place in zip(frames, places, strict=True)]


@pytest.mark.parametrize(("name", "codec"), INTERLACED)
def test_interlaced_videos_give_right_pictures_or_none(tmp_path: Path, decoder: str, name: str, codec: str) -> None:
    frames, problem = played(encode(tmp_path / name, codec, 45, interlaced=True))
    if decoder == "PyAV":
        assert problem == ""
        assert len(frames) == 45
        assert max(errors(frames)) == 0
    else:
        assert frames == []
        assert f"{name}: the pictures are interlaced" in problem
        assert "install the Python package av" in problem


@pytest.mark.parametrize(("name", "codec"), PROGRESSIVE)
def test_progressive_videos_are_played_whole(tmp_path: Path, decoder: str, name: str, codec: str) -> None:
    frames, problem = played(encode(tmp_path / name, codec, 45))
    assert problem == ""
    assert len(frames) == 45
    assert max(errors(frames)) <= 1  # MPEG program streams are read without time stamps


def test_a_still_that_is_progressive_is_no_reason_to_doubt(tmp_path: Path, decoder: str) -> None:
    frames, problem = played(encode(tmp_path / "still.mp4", "libx264", 60, moving=False), rate=5)
    assert problem == ""
    assert len(frames) == 12


@pytest.mark.parametrize(("name", "codec"), PROGRESSIVE)
def test_a_damaged_stretch_is_passed_and_named(tmp_path: Path, decoder: str, name: str, codec: str) -> None:
    frames, problem = played(damaged(encode(tmp_path / name, codec, 250)))
    assert "damaged: pictures are missing from" in problem, problem
    stretches = [(float(a), float(b)) for a, b in re.findall(r"([\d.]+) s to ([\d.]+) s", problem)]
    lost_s = sum(ends - begins for begins, ends in stretches)
    assert 0.2 < lost_s < 3
    places = [(frame.captured_at - START).total_seconds() for frame in frames]
    assert 250 - len(frames) == pytest.approx(lost_s * FPS, abs=8)
    if name not in {"b.mpg", "d.avi"}:  # these say no times; what comes after a damage comes too early
        assert places[-1] > 9.5
        assert max(errors([frame for frame in frames if number_of(frame.jpeg) >= 0 and _numbered(frame)])) <= 1
        assert not [place for place in places for begins, ends in stretches if begins + 0.1 < place < ends - 0.1]


def _numbered(frame: CapturedFrame) -> bool:
    return (frame.captured_at - START).total_seconds() * FPS < 51  # the numbers begin again then


@pytest.mark.parametrize(
    ("name", "codec", "words"),
    [
        ("a.mkv", "libx264", r"missing from [56]\.\d s to 10.0 s"),
        ("d.avi", "mjpeg", r"missing from [56]\.\d s to 10.0 s"),
        ("a.mp4", "libx264", "its end is missing, without which nothing in it can be read"),
    ],
)
def test_a_file_that_is_cut_off_says_so(tmp_path: Path, decoder: str, name: str, codec: str, words: str) -> None:
    frames, problem = played(cut(encode(tmp_path / name, codec, 250)), rate=5)
    assert re.search(words, problem), problem
    assert bool(frames) is ("nothing" not in words)


@dataclass
class Listed:
    """A reader of pictures at given times, of which some are damaged, and every tenth stands alone."""

    stamps: list[float]
    broken: set[int] = field(default_factory=set)
    fps: float = 25.0
    frames: float = 0.0
    broke: bool = False
    at: int = -1

    def grab(self) -> bool:
        self.at += 1
        self.broke = self.at in self.broken
        return self.at < len(self.stamps)

    def retrieve(self) -> None:
        return None

    @property
    def stamp_s(self) -> float:
        return self.stamps[self.at]

    @property
    def stands_alone(self) -> bool:
        return self.at % 10 == 0

    def release(self) -> None:
        pass


def places_of(reader: Listed) -> tuple[VideoPlaces, list[float | None]]:
    places, found = VideoPlaces(reader), []
    while reader.grab():
        found.append(places.next())
    return places, found


def test_a_video_whose_pictures_come_when_something_moves_is_whole() -> None:
    """Such recorders promise 25 pictures a second and write one now and then; each counts."""
    stamps = [0.0, 1.0, 1.04, 1.5, 4.0, 4.04, 4.08, 6.0, 6.5, 9.0, 12.0, 12.5, 15.0, 15.04]
    places, found = places_of(Listed(stamps, frames=14))
    assert found == pytest.approx(stamps)
    assert places.missing() == []


def test_a_gap_is_missing_where_the_header_promises_more_pictures() -> None:
    stamps = [number / 25 for number in range(250) if not 100 <= number < 150]
    for frames, missing in ((250, 1), (200, 0)):
        places, found = places_of(Listed(stamps, frames=frames))
        assert None not in found  # the first after it stands alone
        assert len(places.missing()) == missing
    places, _ = places_of(Listed(stamps, frames=250))
    assert places.missing() == [pytest.approx((4.0, 6.0))]


def test_after_a_damage_two_pictures_that_stand_alone_are_waited_for() -> None:
    places, found = places_of(Listed([number / 25 for number in range(250)], broken={101}))
    assert [number for number, place in enumerate(found) if place is None] == list(range(101, 120))
    assert places.missing() == [pytest.approx((101 / 25, 120 / 25))]


def test_a_time_stamp_that_cannot_be_is_not_believed() -> None:
    stamps = [number / 25 for number in range(100)]
    stamps[50] = 90_000.0
    places, found = places_of(Listed(stamps, frames=100))
    assert found == pytest.approx([number / 25 for number in range(100)])
    assert places.length_s == pytest.approx(4.0)


def test_a_loop_goes_on_over_a_damage_and_says_it_each_time(tmp_path: Path) -> None:
    path = damaged(encode(tmp_path / "a.mp4", "libx264", 100))
    playback = Playback(paced=False, start=START)
    source = VideoFile(path, encoder=JpegEncoder(), rate=5, playback=playback, loop=True)
    with capture_logs() as events:
        for frame in source.frames(threading.Event()):
            if (frame.captured_at - START).total_seconds() > 9:
                break
    assert [event["event"] for event in events].count("video_damaged") == 2


Serve = Callable[[Path], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A network camera that gives a file's content, over HTTP."""
    servers = []

    def start(path: Path) -> str:
        class Camera(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp2t")
                self.end_headers()
                self.wfile.write(path.read_bytes())

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass  # a client that has seen enough

        servers.append(Server(("127.0.0.1", 0), Camera))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://admin:hunter2@127.0.0.1:{servers[-1].server_port}/live.ts?key=hunter3"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_an_interlaced_network_camera_gives_right_pictures_or_none(tmp_path: Path, serve: Serve, decoder: str) -> None:
    address = serve(encode(tmp_path / "a.ts", "libx264", 60, interlaced=True))
    every = 1_000_000  # at 1000 a second some are left out, and later ones, whose numbers begin again, count below
    source = LiveCamera(address, encoder=JpegEncoder(), rate=every, ends=True, backoff=Backoff(0.01, 0.02))
    told = ""
    frames = []
    with capture_logs() as events:
        try:
            frames = list(source.frames(threading.Event()))
        except SourceError as error:
            told = str(error)
    numbers = [number_of(frame.jpeg) for frame in frames]
    if decoder == "PyAV":
        assert len(numbers) > 30
        assert numbers[:40] == sorted(numbers[:40])
    else:
        assert numbers == []
        assert "the pictures are interlaced" in told
    assert "hunter" not in str(events) + told


def test_an_interlaced_network_camera_is_asked_again_since_it_may_be_set_right(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    path = encode(tmp_path / "a.ts", "libx264", 60, interlaced=True)
    source = LiveCamera(serve(path), encoder=JpegEncoder(), rate=1000, backoff=Backoff(0.01, 0.02))
    stop = threading.Event()

    def set_right() -> None:
        while not any(event["event"] == "source_interlaced" for event in list(events)):
            if stop.wait(0.02):
                return
        encode(tmp_path / "b.ts", "libx264", 60).replace(path)

    with capture_logs() as events:
        person = threading.Thread(target=set_right, daemon=True)
        person.start()
        first = next(iter(source.frames(stop)))
        stop.set()
        person.join()
    assert number_of(first.jpeg) >= 0
    assert any(event["event"] == "source_interlaced" for event in events)
    assert "hunter" not in str(events)


def test_rtsp_is_read_with_a_password_of_any_signs(decoder: str) -> None:
    camera = RtspCamera("admin:pa/s?s#7")
    try:
        address = f"rtsp://admin:pa%2Fs%3Fs%237@127.0.0.1:{camera.port}/live"
        with capture_logs() as events:
            source = LiveCamera(address, encoder=JpegEncoder(), rate=10, give_up_after_s=60)
            frames = list(itertools.islice(source.frames(threading.Event()), 3))
    finally:
        camera.close()
    numbers = [number_of(frame.jpeg) for frame in frames]
    assert numbers == sorted(set(numbers))
    assert "pa%2Fs" not in str(events)


def test_interlaced_pictures_go_on_when_their_size_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that somebody sets to another size while it films."""
    path = encode(tmp_path / "a.ts", H264, 30, interlaced=True)
    monkeypatch.setattr(videos, "SIZE", (640, 480))
    later = encode(tmp_path / "b.ts", H264, 30, interlaced=True)
    path.write_bytes(path.read_bytes() + later.read_bytes())
    reader = pyav.PyAvReader(str(path), "", file=True)
    widths = []
    while reader.grab():
        image = reader.retrieve()
        widths.append(0 if image is None else image.shape[1])
    reader.release()
    assert widths == [320] * 30 + [640] * 30


def test_errors_of_pyav_show_no_address(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"no video" * 100)
    with pytest.raises(SourceError, match="a camera: cannot be opened") as caught:
        pyav.PyAvReader(serve(tmp_path / "x"), "a camera", file=False)
    assert caught.value.__suppress_context__
    assert "hunter" not in str(caught.value)


def test_a_video_that_lies_on_its_side_is_turned_as_its_header_says(tmp_path: Path) -> None:
    """Phones record so; both readers turn it alike."""
    import av  # noqa: PLC0415

    path = encode(tmp_path / "a.mp4", "libx264", 10)
    turned = tmp_path / "turned.mp4"
    with av.open(str(path)) as old, av.open(str(turned), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    content = turned.read_bytes()  # the matrix of the track's header: ISO/IEC 14496-12, 8.3.2
    upright = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000 40000000")
    quarter = bytes.fromhex("00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000 40000000")
    at = content.index(upright, content.index(b"tkhd"))
    turned.write_bytes(content[:at] + quarter + content[at + len(quarter) :])
    by_opencv = OpenCvReader(cv2.VideoCapture(str(turned), cv2.CAP_FFMPEG), "")
    by_pyav = pyav.PyAvReader(str(turned), "", file=True)
    assert by_opencv.grab()
    assert by_pyav.grab()
    one, other = by_opencv.retrieve(), by_pyav.retrieve()
    assert one is not None
    assert other is not None
    assert one.shape == other.shape == (320, 240, 3)
    assert float(np.abs(one.astype(int) - other).mean()) < 3
    by_opencv.release()
    by_pyav.release()


@pytest.mark.parametrize(
    ("codec", "extradata", "interlaced"),
    [
        ("h264", "01640015ffe1001967640015acd941410fcb0800000300080000030190f8a14cb001000668fba3cb", True),
        ("h264", "00000167640015acd941410fcb0800000300080000030190f8a14cb00000000168fba3cb22c0", True),
        ("h264", "0164000dffe100186764000dacd94141fa1000000300100000030320f142996001000668ebe3cb22", False),
        ("mpg2", "000001b31400f023ffffe000000001b5148200010000", True),
        ("mpg2", "000001b31400f023ffffe000000001b5148a00010000", False),
        ("mpg1", "000001b31400f023ffffe000", False),
        ("dvsd", "", True),
        ("MJPG", "", False),
        ("h264", "", None),
        ("h264", "0164", None),
        ("h264", "00000167640015", None),
        ("h264", "000001676400" + "00" * 40, None),
        ("mpg2", "000001b3", False),
        ("mpg2", "", None),
        ("wxyz", "00", None),
    ],
)
def test_what_a_stream_declares(codec: str, extradata: str, interlaced: bool | None) -> None:
    assert declares_interlaced(codec, bytes.fromhex(extradata)) is interlaced


def test_a_source_that_shows_nothing_or_one_picture_for_long_is_told_once() -> None:
    watch = PictureWatch("cam")
    rng = np.random.default_rng(1)
    with capture_logs() as events:
        for second in range(10):
            watch.see(rng.integers(0, 255, (48, 64, 3), np.uint8), second)
        for second in range(10, 20):
            watch.see(np.zeros((48, 64, 3), np.uint8), second)
        same = rng.integers(0, 255, (48, 64, 3), np.uint8)
        for second in range(20, 120):
            watch.see(same, second)
        watch.see(rng.integers(0, 255, (48, 64, 3), np.uint8), 120)
    assert [event["event"] for event in events] == [
        "source_blank",
        "source_shows_again",
        "source_frozen",
        "source_moves_again",
    ]
