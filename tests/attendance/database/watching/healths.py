"""Rows of cameras' health, read minute by minute."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from attendance.database.watching.health import MinuteOfHealth, PictureQuality, columns_of


def minutes_of(hour: datetime, minutes: bytes) -> Iterator[MinuteOfHealth]:
    """Those of which anything is known, in order."""
    columns = columns_of(minutes)
    for place in range(60):
        frames, offset, brightness, sharpness = (
            column[place]
            for column in (columns.frames, columns.clock_offsets_ms, columns.brightness, columns.sharpness)
        )
        if not frames and not columns.connected[place]:
            continue
        yield MinuteOfHealth(
            hour + timedelta(minutes=place),
            int(frames or 0),
            columns.connected[place],
            None if offset is None else int(offset),
            None if brightness is None or sharpness is None else PictureQuality(brightness, sharpness),
            tuple(size[place] for size in columns.heights),
        )
