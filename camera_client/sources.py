"""Where frames come from: which kind of source a text names, and the source itself."""

import os
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import cv2.utils

from camera_client.addresses import ENCODING_ADVICE, cannot_be_meant, show_address
from camera_client.backoff import Backoff
from camera_client.frames import CapturedFrame, FrameSource, Playback, SampleGrid, SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.live import LiveCamera
from camera_client.recorded import PICTURE_SUFFIXES, PictureFolder, VideoFile

__all__ = [
    "CapturedFrame",
    "FrameSource",
    "Playback",
    "SampleGrid",
    "SourceError",
    "SourceKind",
    "SourceOptions",
    "kind_of",
    "open_source",
]

_SCHEMES = ("rtsp", "rtsps", "http", "https", "rtmp", "rtp", "udp", "srt")
_DEVICE = re.compile(r"/dev/video(\d+)")


class SourceKind(StrEnum):
    """What a source's text names."""

    WEBCAM = "webcam"
    STREAM = "stream"
    VIDEO = "video"
    PICTURES = "pictures"

    @property
    def live(self) -> bool:
        """Whether it shows now, rather than something recorded."""
        return self in {SourceKind.WEBCAM, SourceKind.STREAM}


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How a source is sampled.

    Attributes:
        rate: frames a second.
        loop: a recorded source starts again at its end.
        paced: a recorded source is played at its own speed.
        start: aware capture time of a recorded source's first frame; None: the wall clock.
        webcam_size: width and height asked of a webcam.
        ends: a live source that ends is not opened again.
        give_up_after_s: a network camera that cannot be opened for this long is an error; None: never.
    """

    rate: float = 2.0
    loop: bool = False
    paced: bool = True
    start: datetime | None = None
    webcam_size: tuple[int, int] | None = None
    ends: bool = False
    give_up_after_s: float | None = None


def kind_of(text: str) -> SourceKind:
    """The kind of source that a text names.

    Raises:
        SourceError: no such file, or an address of an unknown kind.
    """
    if text.isdecimal() or _DEVICE.fullmatch(text):
        return SourceKind.WEBCAM
    scheme, separator, _ = text.partition("://")
    if separator:
        if scheme.lower() not in _SCHEMES:
            wanted = ", ".join(f"{name}://" for name in _SCHEMES)
            raise SourceError(f"{show_address(text)}: unknown kind of address (known: {wanted})")
        if cannot_be_meant(text):
            raise SourceError(f"{show_address(text)}: the address ends before its @; {ENCODING_ADVICE}")
        return SourceKind.STREAM
    path = Path(text)
    if not _exists(path):
        raise SourceError(f"{show_address(text)}: no such file or folder")
    if path.is_dir() or path.suffix.lower() in PICTURE_SUFFIXES:
        return SourceKind.PICTURES
    return SourceKind.VIDEO


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # longer than a path may be, or with a sign that none may have
        return False


def open_source(
    text: str, options: SourceOptions, *, encoder: JpegEncoder, backoff: Backoff | None = None
) -> FrameSource:
    """The source that a text names: a webcam's number, an address, a video file, a folder of pictures.

    Args:
        text: as the user wrote it.
        options: how it is sampled.
        encoder: makes the JPEGs.
        backoff: waits between attempts to open a live source.

    Raises:
        SourceError: no such file, or an address of an unknown kind.
    """
    silence_libraries()
    kind = kind_of(text)
    if kind.live:
        return LiveCamera(
            int(re.sub(r"\D", "", text)) if kind is SourceKind.WEBCAM else text,
            encoder=encoder,
            rate=options.rate,
            webcam_size=options.webcam_size,
            ends=options.ends,
            give_up_after_s=options.give_up_after_s,
            backoff=backoff,
        )
    recorded = VideoFile if kind is SourceKind.VIDEO else PictureFolder
    playback = Playback(paced=options.paced, start=options.start)
    return recorded(Path(text), encoder=encoder, rate=options.rate, playback=playback, loop=options.loop)


def silence_libraries() -> None:
    """OpenCV and FFmpeg write to standard error what our own events say better, at times with the camera's address."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET; read by OpenCV at its first capture
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
