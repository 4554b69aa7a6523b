"""Reading by PyAV, where it is installed: it decodes interlaced pictures, and FFmpeg's bwdif makes them whole."""

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from camera_client.frames import SourceError

if TYPE_CHECKING:
    import av

_TIMEOUT_S = 10.0
_MOST_ERRORS = 1000
# FFmpeg plays plain text as a film of a terminal; nobody means that.
_TEXT_CODEC = "ansi"


def is_installed() -> bool:
    """Whether PyAV can be used here."""
    return importlib.util.find_spec("av") is not None


class PyAvReader:
    """An open file or network camera, decoded by PyAV. Its errors hold addresses, so none is passed on or chained."""

    def __init__(self, address: str, name: str, *, file: bool) -> None:
        """Open it.

        Args:
            address: a path, or an address that FFmpeg can read.
            name: what messages call it.
            file: go on past what cannot be read; else that is the end.

        Raises:
            SourceError: it cannot be opened, or has no pictures.
        """
        import av  # noqa: PLC0415 - an extra that is seldom installed

        av.logging.set_level(av.logging.PANIC)
        self._error = av.FFmpegError
        self._file = file
        self.broke = False
        self._current: av.VideoFrame | None = None
        self._filter: av.filter.Graph | None = None
        self._filter_shape: tuple[int, int, str] | None = None
        try:
            options = {} if file else {"rtsp_transport": "tcp"}
            timeout = None if file else (_TIMEOUT_S, _TIMEOUT_S)
            self._container = av.open(address, options=options, timeout=timeout)
            self._stream = self._container.streams.video[0]
        except (av.FFmpegError, IndexError, OSError):
            raise SourceError(f"{name}: cannot be opened as a video") from None
        if self._stream.codec_context.name == _TEXT_CODEC:
            raise SourceError(f"{name}: not a video that FFmpeg can read")
        self._stream.thread_type = "AUTO"
        self.fps = float(self._stream.guessed_rate or 0)
        length_s = float((self._stream.duration or 0) * (self._stream.time_base or 0))
        length_s = length_s or (self._container.duration or 0) / av.time_base  # Matroska says it of the whole file
        self.frames = float(self._stream.frames or round(length_s * self.fps))
        self._pictures = self._decoded()

    def _decoded(self) -> Iterator["av.VideoFrame"]:
        """The frames, whole; `broke` is set before the first after something that could not be decoded."""
        packets = self._container.demux(self._stream)
        errors = 0
        while errors < max(_MOST_ERRORS, self.frames):
            try:
                packet = next(packets)
            except StopIteration:
                break
            except self._error:
                if not self._file:  # the camera is gone
                    return
                self.broke = True
                errors += 1
                continue
            try:
                frames = packet.decode()
            except self._error:
                self.broke = True
                errors += 1
                continue
            for frame in frames:
                self.broke = self.broke or frame.is_corrupt
                yield from self._made_whole(frame)
        if self._filter is not None:
            yield from self._drained(None)

    def _made_whole(self, frame: "av.VideoFrame") -> Iterator["av.VideoFrame"]:
        shape = frame.width, frame.height, frame.format.name
        if self._filter is not None and shape != self._filter_shape:  # a filter takes pictures of one size and format
            yield from self._drained(None)
            self._filter = None
        if self._filter is None and not frame.interlaced_frame:
            yield frame
            return
        if self._filter is None:
            self._filter, self._filter_shape = self._deinterlacer(frame), shape
        yield from self._drained(frame)

    def _drained(self, frame: "av.VideoFrame | None") -> Iterator["av.VideoFrame"]:
        assert self._filter is not None  # noqa: S101 - the callers made it
        try:
            self._filter.push(frame)
            while True:
                yield cast("av.VideoFrame", self._filter.pull())  # pictures in, pictures out
        except (self._error, BlockingIOError, EOFError):
            return

    def _deinterlacer(self, frame: "av.VideoFrame") -> "av.filter.Graph":
        """One picture for each, of both fields; those that are not interlaced pass: ffmpeg-filters(1), bwdif."""
        import av  # noqa: PLC0415
        import av.filter  # noqa: PLC0415

        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or self._stream.time_base,
            ),
            graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),
            graph.add("buffersink"),
        )
        graph.configure()
        return graph

    def grab(self) -> bool:
        """See `VideoReader.grab`."""
        self.broke = False
        self._current = next(self._pictures, None)
        return self._current is not None

    def retrieve(self) -> NDArray[np.uint8] | None:
        """See `VideoReader.retrieve`."""
        if self._current is None:
            return None
        try:
            image = self._current.to_ndarray(format="bgr24")
        except (self._error, ValueError):
            return None
        turns = round(self._current.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(image, turns)).astype(np.uint8, copy=False)

    @property
    def stamp_s(self) -> float:
        """See `VideoReader.stamp_s`."""
        return 0.0 if self._current is None or self._current.time is None else self._current.time

    @property
    def stands_alone(self) -> bool:
        """See `VideoReader.stands_alone`."""
        return self._current is not None and bool(self._current.key_frame)

    def seek(self, stamp_s: float) -> None:
        """See `VideoFileReader.seek`."""
        self._container.seek(int(stamp_s / float(self._stream.time_base or 1)), stream=self._stream)
        self._current = self._filter = None
        self._pictures = self._decoded()

    def release(self) -> None:
        """See `VideoReader.release`."""
        self._pictures = iter(())
        self._container.close()
