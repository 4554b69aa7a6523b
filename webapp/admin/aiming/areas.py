"""The form of the areas of a camera's picture in which faces count: numbers, which a script lets people draw."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext, lazy_gettext
from wtforms import FieldList, HiddenField, SelectField, TextAreaField

from attendance.database.models import Camera
from attendance.zones import EVERYWHERE, Point, Polygon, Zones, ZonesError, parse
from webapp.admin.forms import AdminForm, options
from webapp.tools.languages import say_error

_LOOK, _SKIP, _NONE = "look", "skip", ""
_SPARE = 2
"""Empty areas at the end of the form."""
_MOST = 40
_NUMBER = re.compile(r"[0-9]{1,3}([.,][0-9]{1,6})?", re.ASCII)
_LONGEST_LINE = 60


class AreasForm(AdminForm):
    """What each area is for, and its points: a line for each, percent from the left and from the top."""

    known = HiddenField()
    kinds = FieldList(
        SelectField(
            lazy_gettext("What this area is for"),
            choices=options(
                [
                    (_NONE, lazy_gettext("Choose…")),
                    (_LOOK, lazy_gettext("Look for faces here")),
                    (_SKIP, lazy_gettext("Skip faces here")),
                ]
            ),
        ),
        max_entries=_MOST,
    )
    points = FieldList(TextAreaField(lazy_gettext("Its points")), max_entries=_MOST)

    def zones(self, camera: Camera) -> Zones | None:
        """The areas as they are to be kept; None where something is wrong, which then stands at its field."""
        found: dict[str, list[Polygon]] = {_LOOK: [], _SKIP: []}
        for kind, points in zip(self.kinds.entries, self.points.entries, strict=False):
            if not (text := points.data or "").strip():
                continue
            if kind.data not in found:
                kind.errors = [gettext("Choose what this area is for, or empty its points.")]
                continue
            try:
                # One after the other, so that its own field gets what is wrong; the message names it by its number.
                areas = [*found[kind.data], _polygon(text)]
                Zones(**{kind.data: tuple(areas)})
                found[kind.data] = areas
            except ZonesError as error:
                points.errors = [say_error(error)]
            except ValueError as error:
                points.errors = [str(error)]
        if self.known.data != fingerprint(camera):
            message = gettext(
                "Somebody else changed the areas meanwhile. Yours are below; save again to replace theirs."
            )
            self.known.errors = [message]
            self.known.data = fingerprint(camera)
        if any(field.errors for field in (self.known, *self.kinds.entries, *self.points.entries)):
            return None
        try:
            return Zones(tuple(found[_LOOK]), tuple(found[_SKIP]))
        except ZonesError as error:
            self.points.entries[0].errors = [say_error(error)]
            return None


@dataclass(frozen=True)
class DrawnArea:
    """An area as the page draws it."""

    kind: str
    points: Polygon


def areas_form(camera: Camera) -> AreasForm:
    """The form with the areas that are kept, and empty ones."""
    areas = drawn_areas(camera)
    kinds = [area.kind for area in areas] + [_NONE] * _SPARE
    points = ["\n".join(f"{100 * x:.4g} {100 * y:.4g}" for x, y in area.points) for area in areas] + [""] * _SPARE
    return AreasForm(data={"known": fingerprint(camera), "kinds": kinds[:_MOST], "points": points[:_MOST]})


def drawn_areas(camera: Camera) -> list[DrawnArea]:
    """The areas that are kept: those to look in, then those to skip."""
    zones = zones_of(camera)
    return [*(DrawnArea(_LOOK, area) for area in zones.look), *(DrawnArea(_SKIP, area) for area in zones.skip)]


def zones_of(camera: Camera) -> Zones:
    """Where in its picture faces count; what cannot be read counts as anywhere, as the service takes it."""
    try:
        return parse(camera.zones)
    except ZonesError:
        return EVERYWHERE


def fingerprint(camera: Camera) -> str:
    """Of the areas that are kept, by which a form knows whether they are still those that it shows."""
    return hashlib.sha256((camera.zones or "").encode()).hexdigest()[:16]


def _polygon(text: str) -> Polygon:
    return tuple(_points(text))


def _points(text: str) -> Iterator[Point]:
    for line in text.splitlines():
        if not line.strip():
            continue
        shown = line.strip()[:_LONGEST_LINE]
        # "12.5, 40", "12,5 40" and "12.5; 40" are two numbers each.
        parts = [part.rstrip(",") for part in re.split(r"[\s;]+", line.strip())]
        if len(parts) != 2 or not all(_NUMBER.fullmatch(part) for part in parts):
            raise ValueError(gettext("“%(line)s” is not two numbers with a space between, like 12.5 40.", line=shown))
        x, y = (float(part.replace(",", ".")) for part in parts)
        if max(x, y) > 100:
            raise ValueError(
                gettext("“%(line)s” lies outside of the picture: both numbers are from 0 to 100.", line=shown)
            )
        yield x / 100, y / 100
