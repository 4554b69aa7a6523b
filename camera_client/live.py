"""Sources that show now: a webcam and a network camera. Read without pause, so that what is sent is new."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import structlog

from camera_client.addresses import ENCODING_ADVICE, may_need_encoding, show_address
from camera_client.backoff import Backoff
from camera_client.clock import MachineClock
from camera_client.decoding.opencv import OpenCvReader
from camera_client.decoding.opening import open_address
from camera_client.decoding.places import LONGEST_SPOILED_S
from camera_client.decoding.reader import InterlacedError, VideoReader
from camera_client.decoding.watching import PictureWatch
from camera_client.frames import CapturedFrame, SampleGrid, SourceError
from camera_client.jpeg import JpegEncoder, PictureError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class LiveCamera:
    """A webcam or a network camera: every frame is taken from it, the sampled ones are encoded, the rest forgotten.

    Neither the driver nor the network can build up a queue of old frames that way. A camera that dies is opened again,
    after waits that grow (see `Backoff`).
    """

    def __init__(
        self,
        address: int | str,
        *,
        encoder: JpegEncoder,
        rate: float,
        webcam_size: tuple[int, int] | None = None,
        ends: bool = False,
        give_up_after_s: float | None = None,
        backoff: Backoff | None = None,
        clock: MachineClock | None = None,
    ) -> None:
        """Name the camera; it is opened when frames are asked for.

        Args:
            address: a webcam's number, or an address that FFmpeg can read, such as rtsp://host/path.
            encoder: makes the JPEGs.
            rate: frames sampled a second.
            webcam_size: width and height asked of a webcam, which may choose the nearest it has.
            ends: the end of the stream is the end of the source; otherwise it is opened again.
            give_up_after_s: a network camera that cannot be opened for this long is an error; None: never.
            backoff: the waits between attempts to open it.
            clock: this machine's unless given.
        """
        self._address = address
        self._encoder = encoder
        self._rate = rate
        self._webcam_size = webcam_size
        self._ends = ends
        self._give_up_after_s = give_up_after_s
        self._backoff = Backoff() if backoff is None else backoff
        self._clock = MachineClock() if clock is None else clock

    @property
    def name(self) -> str:
        """The webcam's number, or the address without what lets somebody in."""
        return f"webcam {self._address}" if isinstance(self._address, int) else show_address(self._address)

    def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
        """See `FrameSource.frames`.

        Raises:
            SourceError: a webcam is missing at the start, or a network camera could not be opened for too long.
        """
        grid = SampleGrid(self._rate)
        opened_before = False
        while (reader := self._open_patiently(stop, opened_before)) is not None:
            opened_before = True
            reason = None
            log.info("source_opened", source=self.name)
            try:
                yield from self._read(reader, grid, stop)
            except InterlacedError as error:
                if self._ends:
                    raise
                reason = str(error)
            finally:
                reader.release()
            if stop.is_set() or self._ends:
                return
            wait = self._backoff.next_wait()
            if reason is None:
                log.warning("source_lost", source=self.name, retry_in_s=round(wait, 2))
            else:
                log.error("source_interlaced", source=self.name, reason=reason, retry_in_s=round(wait, 2))
            stop.wait(wait)

    def _open_patiently(self, stop: threading.Event, opened_before: bool) -> VideoReader | None:
        failing_since = time.monotonic()
        while not stop.is_set():
            reader = self._open()
            if reader is not None:
                return reader
            reason = self._why_closed()
            if isinstance(self._address, int) and not opened_before:
                raise SourceError(reason)
            wait = self._backoff.next_wait()
            failing = time.monotonic() - failing_since
            if self._give_up_after_s is not None and failing + wait > self._give_up_after_s:
                raise SourceError(f"{reason}; gave up after {failing:.0f} s")
            log.warning("source_unavailable", source=self.name, reason=reason, retry_in_s=round(wait, 2))
            stop.wait(wait)
        return None

    def _open(self) -> VideoReader | None:
        if isinstance(self._address, str):
            return open_address(self._address, self.name)
        capture = cv2.VideoCapture(self._address, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        if self._webcam_size is not None:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._webcam_size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._webcam_size[1])
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return OpenCvReader(capture, self.name) if capture.isOpened() else None

    def _why_closed(self) -> str:
        if isinstance(self._address, str):
            asked = "is the camera on, and are address, user name and password right?"
            advice = f" {ENCODING_ADVICE[0].upper()}{ENCODING_ADVICE[1:]}" if may_need_encoding(self._address) else ""
            return f"{self.name}: cannot be opened ({asked}{advice})"
        device = Path(f"/dev/video{self._address}")
        if sys.platform == "linux" and not device.exists():
            present = ", ".join(sorted(str(path) for path in Path("/dev").glob("video*"))) or "none"
            return f"webcam {self._address}: there is no {device} (present: {present})"
        return f"webcam {self._address}: cannot be opened; another program may hold it, or this user may not use it"

    def _read(self, reader: VideoReader, grid: SampleGrid, stop: threading.Event) -> Iterator[CapturedFrame]:
        watch = PictureWatch(self.name)
        spoiled_until = 0.0
        while not stop.is_set() and reader.grab():
            taken = self._clock.read()
            now = time.monotonic()
            if reader.broke:
                spoiled_until = now + LONGEST_SPOILED_S
            elif reader.stands_alone:
                spoiled_until = now
            if now < spoiled_until or not grid.takes(now):
                continue
            image = reader.retrieve()
            if image is None:
                continue
            self._backoff.reset()
            watch.see(image, now)
            try:
                yield CapturedFrame(taken.at, self._encoder.encode(image), moment=taken.moment)
            except PictureError as error:
                log.warning("picture_skipped", file=self.name, reason=str(error))
