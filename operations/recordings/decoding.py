"""The pictures of one stretch of a video, as if the video had been read from its beginning."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camera_client.decoding.opening import open_video
from camera_client.decoding.places import VideoPlaces
from camera_client.decoding.reader import VideoFileReader
from camera_client.frames import SourceError
from camera_client.sources import silence_libraries
from operations.recordings.stretches import VideoStretch

_ROUNDING_S = 1e-3
_STEPS_BACK_S = (0.0, 1.0, 5.0, 20.0)
"""Where a seek lands behind the key frame, it is tried from before it."""


class DamagedStretchError(SourceError):
    """A stretch of a video is damaged: no picture of it can be read."""


class StretchPictures:
    """Pictures of a stretch that are on the grid, and what is missing of it once they were given."""

    def __init__(self, path: Path, stretch: VideoStretch, rate: float) -> None:
        """Name the stretch; the file is opened when pictures are asked for.

        Args:
            path: of the video.
            stretch: of it.
            rate: pictures wanted for each second.
        """
        self._path = path
        self._stretch = stretch
        self._grid = stretch.grid(rate)
        self.missing: list[tuple[float, float]] = []
        """Without a picture that can be used, seconds of the video."""
        self.read = 0
        """Pictures that could be decoded."""

    def pictures(self, begins_s: float, ends_s: float) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Each picture's place, seconds of the video, and the picture: blue, green, red, shape (height, width, 3).

        Args:
            begins_s: pictures before it are not wanted.
            ends_s: nor are those from there on.

        Raises:
            DamagedStretchError: there is none that can be read.
            SourceError: the video cannot be opened, or not be read with what is installed here.
        """
        silence_libraries()
        reader = open_video(self._path)
        try:
            part = _Part(reader, self._stretch)
            places = VideoPlaces(part, self._stretch.steps_before)
            unsure: deque[tuple[float, NDArray[np.uint8]]] = deque()
            while part.grab():
                place = places.next()
                if places.broke:
                    unsure.clear()
                while unsure and unsure[0][0] - part.offset_s <= places.sure_before:
                    yield unsure.popleft()
                at = None if place is None else place + part.offset_s
                if at is None or at >= ends_s or not self._grid.takes(at) or at < begins_s:
                    continue
                image = part.retrieve()
                if image is not None:
                    unsure.append((at, image))
            yield from unsure
            self._judge(places, part)
        finally:
            reader.release()

    def _judge(self, places: VideoPlaces, part: "_Part") -> None:
        self.read = places.count
        if places.count == 0:
            raise DamagedStretchError(
                f"{self._path}: no picture from {self._stretch.begins_s:.1f} s to {self._stretch.ends_s:.1f} s can "
                "be read"
            )
        self.missing = [(begins + part.offset_s, ends + part.offset_s) for begins, ends in places.missing()]


class _Part:
    """A reader that begins with a stretch's key frame and ends before the next one's."""

    def __init__(self, reader: VideoFileReader, stretch: VideoStretch) -> None:
        self._reader = reader
        self._stretch = stretch
        self.frames = reader.frames if stretch.whole else float(stretch.pictures)
        length = stretch.ends_s - stretch.begins_s
        self.fps = reader.fps if stretch.whole or length <= 0 else stretch.pictures / length
        self.broke = False
        self.offset_s = 0.0 if stretch.whole else stretch.begins_s
        """Of the first picture, seconds of the video."""
        self._begun = False

    def grab(self) -> bool:
        if not self._begun:
            self._begun = True
            if not self._begin():
                return False
        elif not self._reader.grab():
            return False
        self.broke = self._reader.broke
        ends = self._stretch.first_stamp_s + self._stretch.ends_s - _ROUNDING_S
        return self._stretch.last or self._reader.stamp_s < ends

    def _begin(self) -> bool:
        """Go to the first picture."""
        if self._stretch.whole or self._stretch.number == 0:
            return self._reader.grab()
        begins = self._stretch.first_stamp_s + self._stretch.begins_s
        for back in (*_STEPS_BACK_S, begins):
            self._reader.seek(max(0.0, begins - back))
            found = self._reader.grab()
            if found and (self._reader.stamp_s <= begins + _ROUNDING_S or back == begins):
                break
        while found and self._reader.stamp_s < begins - _ROUNDING_S:
            found = self._reader.grab()
        if found:
            self.offset_s = self._reader.stamp_s - self._stretch.first_stamp_s
        return found

    def retrieve(self) -> NDArray[np.uint8] | None:
        return self._reader.retrieve()

    @property
    def stamp_s(self) -> float:
        return self._reader.stamp_s

    @property
    def stands_alone(self) -> bool:
        return self._reader.stands_alone

    def release(self) -> None:
        self._reader.release()
