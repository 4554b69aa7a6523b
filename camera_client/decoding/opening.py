"""Which reader opens what: OpenCV, or PyAV for what OpenCV cannot decode."""

from pathlib import Path

import cv2

from camera_client.decoding import pyav
from camera_client.decoding.opencv import OpenCvReader
from camera_client.decoding.reader import VideoFileReader, VideoReader
from camera_client.frames import SourceError

# OpenCV's own bounds are 30 s; a camera that is silent for this long is gone, and opening it again may help.
_TIMEOUT_MS = 10_000
# FFmpeg plays plain text as a film of a terminal; nobody means that.
_TEXT_CODEC = int.from_bytes(b"ansi", "little")


def open_video(path: Path) -> VideoFileReader:
    """A video file, open.

    Raises:
        SourceError: there is no such file, or it is no video.
    """
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    if empty:
        raise SourceError(f"{path}: the file is empty")
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened() or int(capture.get(cv2.CAP_PROP_FOURCC)) == _TEXT_CODEC:
        capture.release()
        raise SourceError(f"{path}: not a video that FFmpeg can read{_why_not(path)}")
    return _reader(OpenCvReader(capture, str(path), patient=True), str(path), str(path), file=True)


def _why_not(path: Path) -> str:
    """MP4 and MOV files say at their end what is in them, unless they were made for the net: ISO/IEC 14496-12."""
    with path.open("rb") as file:
        begins_like_mp4 = file.read(12)[4:8] == b"ftyp"
    return ": its end is missing, without which nothing in it can be read" if begins_like_mp4 else ""


def open_address(address: str, name: str) -> VideoReader | None:
    """A network camera, open; None when it cannot be opened.

    Args:
        address: what FFmpeg is given.
        name: the same as messages may show it.
    """
    bounds = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _TIMEOUT_MS]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, bounds)
    if not capture.isOpened():
        return None
    try:
        return _reader(OpenCvReader(capture, name), address, name, file=False)
    except SourceError:
        return None


def _reader(opened: OpenCvReader, address: str, name: str, *, file: bool) -> VideoFileReader:
    if not opened.interlaced or not pyav.is_installed():
        return opened
    opened.release()
    return pyav.PyAvReader(address, name, file=file)
