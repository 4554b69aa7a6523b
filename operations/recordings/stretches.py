"""Splitting a video at its key frames, by its packets alone: nothing is decoded.

OpenCV's raw mode gives each packet's presentation time, and whether it is a key frame
(https://docs.opencv.org/4.x/d4/d15/group__videoio__flags__base.html, CAP_PROP_FORMAT and CAP_PROP_LRF_HAS_KEY_FRAME).
Times are seconds from the video's first picture.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from camera_client.decoding.opening import open_video
from camera_client.frames import SampleGrid, SourceError
from camera_client.sources import silence_libraries

_USUAL_FPS = 25.0
_FEWEST = 0.9
"""Share of the packets with a time of their own from which on times can be relied on."""
_BEYOND_S = 60.0
"""A time so far beyond the length in the header is a damaged one."""
_ROUNDING_S = 1e-3
_STEPS = 10
_PATIENCE = 1000
"""Packets in a row that cannot be read before it is the end."""
_WHOLE = 0.99
"""Share of the pictures that the header promises from which on none counts as missing."""
_LENGTH_TOLERANCE_S = 1.0
"""Lengths in headers are rounded, and some are those of the sound."""


@dataclass(frozen=True, slots=True)
class VideoStretch:
    """A part of a video that can be decoded by itself."""

    number: int
    begins_s: float
    """Of its key frame."""
    ends_s: float
    """Of the next one's; the last ends with the video."""
    pictures: int
    """That should be in it: its packets or, where the header promises many more in all, what the header's rate says."""
    sampled_until_s: float | None
    """The last picture before it: what has been sampled by then is not sampled again. None: it is the first."""
    last: bool
    first_stamp_s: float
    """The time stamp of the video's first picture."""
    steps_before: tuple[float, ...] = ()
    """From one picture to the next, the last ones before it, seconds."""
    whole: bool = False
    """The video cannot be split, and this is all of it: its time stamps cannot be relied on."""

    def grid(self, rate: float) -> SampleGrid:
        """Chooses its pictures as one grid over the whole video would."""
        grid = SampleGrid(rate)
        if self.sampled_until_s is not None:
            grid.takes(self.sampled_until_s)
        return grid


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """What a video's packets say."""

    length_s: float
    stretches: tuple[VideoStretch, ...]
    lost_end: tuple[float, float] | None = None
    """What the header promises beyond the last packet, seconds."""

    def within(self, begins_s: float, ends_s: float) -> tuple[VideoStretch, ...]:
        """The stretches that hold pictures of a time."""
        return tuple(one for one in self.stretches if one.begins_s < ends_s and one.ends_s > begins_s)


def plan_video(path: Path, stretch_s: float) -> VideoPlan:
    """Read a video's packets.

    Args:
        path: of the file.
        stretch_s: stretches are at least so long, but for the last.

    Raises:
        SourceError: it is no video, or an empty or damaged one.
    """
    silence_libraries()
    reader = open_video(path)
    fps, header_frames = reader.fps or _USUAL_FPS, reader.frames
    reader.release()
    stamps, keys = _packets(path)
    if not len(stamps) and not header_frames:  # a recorder that ended at once
        raise SourceError(f"{path}: there is no picture in it")
    longest = header_frames / fps + _BEYOND_S if header_frames else np.inf
    if len(stamps):
        keys = keys[stamps - stamps.min() <= longest]
        stamps = stamps[stamps - stamps.min() <= longest]
    order = np.sort(stamps)
    distinct = int((np.diff(order) > 0).sum()) + 1 if len(order) else 0
    if distinct < max(2, _FEWEST * len(order)):
        length = max(header_frames, len(order)) / fps
        return VideoPlan(length, (VideoStretch(0, 0.0, length, max(len(order), 1), None, True, 0.0, whole=True),))
    first = float(order[0])
    times = order - first
    length = float(times[-1]) + float(np.median(np.diff(times)))
    promised = header_frames / fps
    too_few = len(order) < _WHOLE * header_frames
    stretches = _split(times, np.sort(stamps[keys]) - first, length, stretch_s, first, fps if too_few else 0.0)
    return VideoPlan(length, tuple(stretches), (length, promised) if promised - length > _LENGTH_TOLERANCE_S else None)


def header_length(path: Path) -> float:
    """The length that a video's header says, seconds; nothing else is read.

    Raises:
        SourceError: it is no video.
    """
    silence_libraries()
    reader = open_video(path)
    try:
        return reader.frames / (reader.fps or _USUAL_FPS)
    finally:
        reader.release()


def length_of(path: Path) -> float:
    """The length that a video's header says, seconds; where it says none, all packets are read for it.

    Matroska and WebM that were written live have none.

    Raises:
        SourceError: it is no video, or an empty or damaged one.
    """
    return header_length(path) or plan_video(path, math.inf).length_s


def _packets(path: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Presentation times, seconds, shape (n,), and which packets are key frames, bool (n,)."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    stamps: list[float] = []
    keys: list[bool] = []
    failed = 0
    try:
        while failed < _PATIENCE:
            if not capture.grab():  # the end, or a damaged packet
                failed += 1
                continue
            failed = 0
            stamps.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            keys.append(bool(capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME)))
    finally:
        capture.release()
    return np.array(stamps, np.float64), np.array(keys, np.bool_)


def _split(  # noqa: PLR0917 - what the packets say
    times: NDArray[np.float64],
    keys: NDArray[np.float64],
    length: float,
    stretch_s: float,
    first: float,
    promised_fps: float,
) -> list[VideoStretch]:
    begins = [0.0]
    for key in keys:
        if key - begins[-1] >= stretch_s - _ROUNDING_S:
            begins.append(float(key))
    ends = [*begins[1:], length]
    rising: list[float] = times.tolist()
    stretches = []
    for number, (start, end) in enumerate(zip(begins, ends, strict=True)):
        left, right = bisect_left(rising, start - _ROUNDING_S), bisect_left(rising, end - _ROUNDING_S)
        before = rising[left - 1] if left else None
        last = number == len(begins) - 1
        pictures = max(right - left, round((end - start) * promised_fps), 1)
        steps = np.diff(times[max(0, left - _STEPS - 1) : left])
        stretches.append(VideoStretch(number, start, end, pictures, before, last, first, tuple(steps.tolist())))
    return stretches
