"""Sources that have an end: a video file and a folder of pictures."""

import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import structlog

from camera_client.decoding.opening import open_video
from camera_client.decoding.places import VideoPlaces
from camera_client.decoding.watching import PictureWatch
from camera_client.frames import CapturedFrame, Playback, SampleGrid, SourceError
from camera_client.jpeg import JpegEncoder, PictureError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_LARGEST_FILE_BYTES = 200_000_000

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
        """See `FrameSource.frames`.

        Raises:
            SourceError: no video; or, after all that could be read, that something was missing.
        """
        begins_at = 0.0
        while not stop.is_set():
            begins_at += yield from self._play_once(begins_at, stop)
            if not self._loop:
                return

    def _play_once(self, begins_at: float, stop: threading.Event) -> Generator[CapturedFrame, None, float]:
        """Yield the sampled frames of one pass; the generator's value is the video's length in seconds."""
        reader = open_video(self._path)
        try:
            places = VideoPlaces(reader)
            watch = PictureWatch(self.name)
            unsure: deque[tuple[float, CapturedFrame]] = deque()
            while not stop.is_set() and reader.grab():
                place = places.next()
                if places.broke:
                    unsure.clear()
                while unsure and unsure[0][0] <= places.sure_before:
                    yield unsure.popleft()[1]
                if place is None or not self._grid.takes(begins_at + place):
                    continue
                image = reader.retrieve()
                taken = None if image is None else self._playback.time_of(begins_at + place, stop)
                if image is None or taken is None:
                    continue
                watch.see(image, place)
                label = f"{place:.2f} s"
                try:
                    frame = CapturedFrame(taken.at, self._encoder.encode(image), label, taken.moment)
                except PictureError as error:
                    log.warning("picture_skipped", file=label, reason=str(error))
                else:
                    unsure.append((place, frame))
            if not stop.is_set():
                yield from (frame for _, frame in unsure)
                self._judge(places)
            return places.length_s
        finally:
            reader.release()

    def _judge(self, places: VideoPlaces) -> None:
        """Say what is missing, once all that is there was given."""
        if places.count == 0:
            raise SourceError(f"{self._path}: no frame can be read; the video is empty or damaged")
        missing = places.missing()
        if not missing:
            return
        stretches = ", ".join(f"{begins:.1f} s to {ends:.1f} s" for begins, ends in missing)
        log.warning("video_damaged", file=str(self._path), missing=stretches)
        if not self._loop:
            lost_s = sum(ends - begins for begins, ends in missing)
            raise SourceError(
                f"{self._path}: damaged: pictures are missing from {stretches} ({lost_s:.1f} s of "
                f"{max(places.length_s, places.header_s):.1f} s); what came from the rest was sent"
            )


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
