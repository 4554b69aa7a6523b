"""Where an encoding came from: kept beside it in the store, so that a registrar can say why the system knows a face."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from attendance.errors import AttendanceError

_LONGEST_TEXT = 400
_LONGEST_PATH = 4096
_SHA256_DIGITS = 64


class ProvenanceError(AttendanceError):
    """A store's "provenance" is not what this module writes; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of one encoding; what nobody wrote down keeps its default."""

    source: str = ""
    """The way in: "folder", "csv", "dashboard" or "import", a colon, and the photo's or file's name."""
    photo_sha256: str | None = None
    """SHA-256 of the photo's file, in hexadecimal digits; the photo itself is not kept."""
    enrolled_at: datetime | None = None
    """UTC."""
    model: str = ""
    """The embedding model that made the encoding."""
    quality: float | None = None
    """0 to 1, as `index_builder.photos.quality` judges photos."""
    path: str = ""
    """Where the photo lay, an absolute path, so that it can be erased with the student; empty for photos that were no
    files of this machine."""
    set_aside: bool = False
    """An outlier among the student's own: kept and shown, but not put into the index."""


UNKNOWN = Provenance()
"""Of an encoding that came without any."""


def provenance_as_text(origins: Sequence[Provenance]) -> str:
    """JSON: an array with one object for each encoding, in which what is unknown is left out.

    One string, since a pickle of 250,000 mappings would take half a minute to read without running any of it.
    """
    return json.dumps([_as_object(origin) for origin in origins], separators=(",", ":"))


def read_provenance(content: Any, count: int) -> list[Provenance]:
    """What a store says under "provenance": text as `provenance_as_text` writes it, or a list of such objects.

    Args:
        content: what was unpickled; None: the store says nothing.
        count: how many encodings there are.

    Raises:
        ProvenanceError: it is something else.
    """
    if content is None:
        return [UNKNOWN] * count
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            raise ProvenanceError('its "provenance" is not JSON') from None
    if not isinstance(content, list) or len(content) != count:
        raise ProvenanceError(f'its "provenance" is not a list of {count}, one for each encoding')
    return [_from_object(item, place) for place, item in enumerate(content)]


def _as_object(origin: Provenance) -> dict[str, Any]:
    values: dict[str, Any] = {
        "source": origin.source,
        "photo_sha256": origin.photo_sha256,
        "enrolled_at": origin.enrolled_at.isoformat() if origin.enrolled_at is not None else None,
        "model": origin.model,
        "quality": round(origin.quality, 3) if origin.quality is not None else None,
        "path": origin.path,
        "set_aside": origin.set_aside,
    }
    return {key: value for key, value in values.items() if value}


def _from_object(item: Any, place: int) -> Provenance:
    if not isinstance(item, Mapping):
        raise ProvenanceError(f'entry {place} of its "provenance" is not a mapping')
    quality = item.get("quality")
    if quality is not None and (type(quality) not in (int, float) or not 0 <= quality <= 1):
        raise ProvenanceError(f'entry {place} of its "provenance" has a quality that is not between 0 and 1')
    sha256 = _text(item, "photo_sha256", place) or None
    if sha256 is not None and len(sha256) != _SHA256_DIGITS:
        raise ProvenanceError(f'entry {place} of its "provenance" has a photo_sha256 that is none')
    return Provenance(
        source=_text(item, "source", place),
        photo_sha256=sha256,
        enrolled_at=_time(item, place),
        model=_text(item, "model", place),
        quality=float(quality) if quality is not None else None,
        path=_text(item, "path", place, longest=_LONGEST_PATH),
        set_aside=item.get("set_aside", False) is True,
    )


def _text(item: Mapping[str, Any], key: str, place: int, *, longest: int = _LONGEST_TEXT) -> str:
    value = item.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest:
        raise ProvenanceError(f'entry {place} of its "provenance" has a {key} that is no text, or is too long')
    return value


def _time(item: Mapping[str, Any], place: int) -> datetime | None:
    text = _text(item, "enrolled_at", place)
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ProvenanceError(f'entry {place} of its "provenance" has an enrolled_at that is no time') from None
    return time.astimezone(UTC) if time.tzinfo is not None else time.replace(tzinfo=UTC)
