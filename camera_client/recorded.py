"""Sources that have an end: a video file and a folder of pictures."""

import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import cv2
import structlog

from camera_client.frames import CapturedFrame, Playback, SampleGrid, SourceError
from camera_client.jpeg import JpegEncoder, PictureError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_LARGEST_FILE_BYTES = 200_000_000
_USUAL_FPS = 25.0
_HIGHEST_FPS = 1000.0
# FFmpeg plays plain text as a film of a terminal; nobody means that.
_TEXT_CODEC = int.from_bytes(b"ansi", "little")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class VideoFile:
    """A video file, sampled by its own time stamps."""

    def __init__(
        self, path: Path, *, encoder: JpegEncoder, rate: float, playback: Playback, loop: bool = False
    ) -> None:
        """Name the file; it is opened when frames are asked for.

        Args:
            path: a file that FFmpeg can read.
            encoder: makes the JPEGs.
            rate: frames sampled a second of the video's own time.
            playback: gives capture times and the pace.
            loop: start again at the end, for ever; time goes on.
        """
        self._path = path
        self._encoder = encoder
        self._grid = SampleGrid(rate)
        self._playback = playback
        self._loop = loop

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """See `FrameSource.frames`."""
        begins_at = 0.0
        while not stop.is_set():
            begins_at += yield from self._play_once(begins_at, stop)
            if not self._loop:
                return

    def _play_once(self, begins_at: float, stop: threading.Event) -> Generator[CapturedFrame, None, float]:
        """Yield the sampled frames of one pass; the generator's value is the video's length in seconds."""
        capture = _opened_video(self._path)
        try:
            stamps = _Stamps(capture)
            while not stop.is_set() and capture.grab():
                position = begins_at + stamps.next()
                if not self._grid.takes(position):
                    continue
                whole, image = capture.retrieve()
                taken = self._playback.time_of(position, stop) if whole else None
                if taken is None:
                    continue
                label = f"{position - begins_at:.2f} s"
                try:
                    yield CapturedFrame(taken.at, self._encoder.encode(image), label, taken.moment)  # type: ignore[arg-type]
                except PictureError as error:
                    log.warning("picture_skipped", file=label, reason=str(error))
            if stamps.count == 0 and not stop.is_set():
                raise SourceError(f"{self._path}: no frame can be read; the video is empty or damaged")
            return stamps.length
        finally:
            capture.release()


class _Stamps:
    """Positions of the frames of a video, seconds from its first frame: its own time stamps where they rise."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        self._capture = capture
        fps = capture.get(cv2.CAP_PROP_FPS)
        self._interval = 1 / (fps if 0 < fps <= _HIGHEST_FPS else _USUAL_FPS)
        self._first = 0.0
        self._last = -self._interval
        self.count = 0

    def next(self) -> float:
        """The position of the frame just grabbed."""
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self.count == 0:
            self._first = stamp
        position = stamp - self._first
        if position <= self._last:  # some containers keep no time stamps
            position = self._last + self._interval
        self._last = position
        self.count += 1
        return position

    @property
    def length(self) -> float:
        """From the first frame to the end of the last, seconds."""
        return self._last + self._interval


def _opened_video(path: Path) -> cv2.VideoCapture:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if empty or not capture.isOpened() or int(capture.get(cv2.CAP_PROP_FOURCC)) == _TEXT_CODEC:
        capture.release()
        raise SourceError(f"{path}: {'the file is empty' if empty else 'not a video that FFmpeg can read'}")
    return capture


class PictureFolder:
    """A folder of pictures, sorted by name, one a sample interval."""

    def __init__(
        self,
        path: Path,
        *,
        encoder: JpegEncoder,
        rate: float,
        playback: Playback,
        loop: bool = False,
    ) -> None:
        """Name the folder; it is listed when frames are asked for, and again in every round of a loop.

        Args:
            path: a folder, or a single picture.
            encoder: makes JPEGs of what is none, or too large.
            rate: pictures a second.
            playback: gives capture times and the pace.
            loop: start again at the end, for ever; time goes on.
        """
        self._path = path
        self._encoder = encoder
        self._interval = 1 / rate
        self._playback = playback
        self._loop = loop

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """See `FrameSource.frames`. A picture that cannot be read is logged and skipped."""
        shown = 0
        while not stop.is_set():
            before = shown
            for file in self._files():
                jpeg = self._read(file)
                if jpeg is None:
                    continue
                taken = self._playback.time_of(shown * self._interval, stop)
                if taken is None:
                    return
                yield CapturedFrame(taken.at, jpeg, file.name, taken.moment)
                shown += 1
            if shown == before and not stop.is_set():
                raise SourceError(f"{self._path}: none of its pictures can be read")
            if not self._loop:
                return

    def _files(self) -> Sequence[Path]:
        if self._path.is_file():
            return [self._path]
        try:
            files = [f for f in self._path.iterdir() if f.suffix.lower() in PICTURE_SUFFIXES and f.is_file()]
        except OSError as error:
            raise SourceError(f"{self._path}: cannot be read: {error.strerror}") from None
        # macOS leaves "._name.jpg" files, which are no pictures, on the memory sticks it touches.
        files = sorted((f for f in files if not f.name.startswith(".")), key=lambda f: f.name)
        if not files:
            wanted = ", ".join(sorted(PICTURE_SUFFIXES))
            raise SourceError(f"{self._path}: no pictures in this folder (looked for {wanted})")
        return files

    def _read(self, file: Path) -> bytes | None:
        try:
            if file.stat().st_size > _LARGEST_FILE_BYTES:
                raise PictureError(f"it is larger than {_LARGEST_FILE_BYTES} bytes")
            return self._encoder.accept(file.read_bytes())
        except (PictureError, OSError) as error:
            log.warning("picture_skipped", file=str(file), reason=str(error))
            return None
