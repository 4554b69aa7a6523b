"""What the aiming view says in words: of each face, what to change, and why there is no picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from flask_babel import gettext, lazy_gettext, ngettext

from attendance.aiming import AimedFace, AimedShot, AimingProblem
from attendance.zones import Zones
from webapp.tools.languages import number

_DARK, _BRIGHT = 50, 215
"""Mean grey levels. Of a room in which people see each other dimly it is 30 to 50; of one full of windows, over 200."""
_CLOCK_OFF_S = 30
_LARGEST_ZOOM = 8

PROBLEMS: Mapping[AimingProblem, tuple[Any, Any]] = {
    AimingProblem.EXPIRED: (
        lazy_gettext("This view has ended"),
        lazy_gettext("It lasts for two minutes after the last look, and for half an hour at most. Open it again."),
    ),
    AimingProblem.FORGED: (
        lazy_gettext("This view cannot be opened so"),
        lazy_gettext("Open it again from the camera's page."),
    ),
    AimingProblem.OTHER_CAMERA: (
        lazy_gettext("This view is of another camera"),
        lazy_gettext("Open it again from the camera's page."),
    ),
    AimingProblem.ENDED: (
        lazy_gettext("You are signed out"),
        lazy_gettext("Whoever opened this view is signed out, or is no administrator any more."),
    ),
    AimingProblem.NOT_CONNECTED: (
        lazy_gettext("The camera is not connected"),
        lazy_gettext(
            "No recognition service holds its stream. Is its program running, does it have the right token, and does "
            "the camera stand in a room?"
        ),
    ),
    AimingProblem.NO_FRAME: (
        lazy_gettext("The camera sends nothing just now"),
        lazy_gettext(
            "It is connected. Perhaps it sends what it kept on its disk, or its source gives no pictures; the log of "
            "its program says which."
        ),
    ),
    AimingProblem.UNREADABLE: (
        lazy_gettext("The camera's pictures cannot be read"),
        lazy_gettext("They are damaged, or larger than the service accepts; its log says more."),
    ),
    AimingProblem.BUSY: (
        lazy_gettext("The service has no time just now"),
        lazy_gettext("Sessions go first. Look again in a moment; if this goes on, its log says why."),
    ),
    AimingProblem.GONE: (
        lazy_gettext("This picture is gone"),
        lazy_gettext("Pictures are kept for seconds. Look again."),
    ),
}
"""A title, and what to do."""

OVER = frozenset({AimingProblem.EXPIRED, AimingProblem.FORGED, AimingProblem.OTHER_CAMERA, AimingProblem.ENDED})
"""After these nothing comes by itself."""


@dataclass(frozen=True)
class FaceWords:
    """One line of the list."""

    kind: str
    """"small", "fair" or "good", as its box is red, yellow or green; "out" beyond the areas that count."""
    text: str


def of_faces(shot: AimedShot, zones: Zones) -> list[FaceWords]:
    """A line for each face, in the order of the numbers in the picture."""
    return [_of_face(face, shot, zones) for face in shot.faces]


def advice(shot: AimedShot, zones: Zones) -> list[str]:
    """What to change, the most important first."""
    if shot.blank:
        return [gettext("The picture shows nothing: is the lens covered, or the light off?")]
    counted = [face for face in shot.faces if counts(face, shot, zones)]
    found = [*_of_light(shot), *_of_sizes(counted, shot), *_of_sharpness(counted, shot), *_of_clock(shot)]
    if not counted:
        nobody = gettext("No face is seen where faces count. Ask somebody to sit in the last row and to look ahead.")
        return [nobody, *found]
    return found or [gettext("Nothing: every face is large and sharp enough.")]


def counts(face: AimedFace, shot: AimedShot, zones: Zones) -> bool:
    """Whether a face's centre lies where faces count."""
    centre = (face.left + face.right) / 2 / shot.width, (face.top + face.bottom) / 2 / shot.height
    return centre in zones


def _of_face(face: AimedFace, shot: AimedShot, zones: Zones) -> FaceWords:
    size = gettext("%(width)s by %(height)s pixels", width=face.width, height=face.height)
    if not counts(face, shot, zones):
        return FaceWords("out", gettext("%(size)s, outside of the areas that count", size=size))
    if face.width < shot.smallest_named:
        return FaceWords("small", gettext("%(size)s, too small to name", size=size))
    soft = face.sharpness < shot.clear_sharpness
    if face.width < shot.clear_width:
        kind, text = "fair", gettext("%(size)s, can be named, takes more frames", size=size)
    else:
        kind, text = "fair" if soft else "good", gettext("%(size)s, large enough", size=size)
    return FaceWords(kind, gettext("%(face)s, not sharp", face=text) if soft else text)


def _of_light(shot: AimedShot) -> list[str]:
    if shot.brightness < _DARK:
        return [gettext("Brighter: the picture is dark. Put more light on the faces, or let the camera expose longer.")]
    if shot.brightness > _BRIGHT:
        return [gettext("Darker: the picture is too bright. Turn the camera from the windows, or expose less.")]
    return []


def _of_sizes(faces: Sequence[AimedFace], shot: AimedShot) -> list[str]:
    small = [face for face in faces if face.width < shot.smallest_named]
    if not small:
        return []
    smallest = max(1, min(face.width for face in small))
    zoom = min(_LARGEST_ZOOM, ceil(10 * shot.smallest_named / smallest) / 10)
    return [
        ngettext(
            "Nearer, or zoom in %(zoom)s times: %(num)s face is too small to name. The smallest has %(smallest)s "
            "pixels and needs %(needed)s. A camera that sends larger pictures does it, too.",
            "Nearer, or zoom in %(zoom)s times: %(num)s faces are too small to name. The smallest has %(smallest)s "
            "pixels and needs %(needed)s. A camera that sends larger pictures does it, too.",
            len(small),
            zoom=number(zoom),
            smallest=smallest,
            needed=ceil(shot.smallest_named),
        )
    ]


def _of_sharpness(faces: Sequence[AimedFace], shot: AimedShot) -> list[str]:
    large = [face for face in faces if face.width >= shot.smallest_named]
    soft = [face for face in large if face.sharpness < shot.clear_sharpness]
    if not soft:
        return []
    return [
        ngettext(
            "Sharper: %(num)s face is blurred. Focus the lens, wipe it, or let the camera expose more briefly.",
            "Sharper: %(num)s faces are blurred. Focus the lens, wipe it, or let the camera expose more briefly.",
            len(soft),
        )
    ]


def _of_clock(shot: AimedShot) -> list[str]:
    ahead = (shot.captured_at - shot.arrived_at).total_seconds()
    if abs(ahead) < _CLOCK_OFF_S:
        return []
    seconds = number(round(abs(ahead)))
    if ahead > 0:
        return [gettext("Set the camera's clock: it is %(seconds)s seconds ahead.", seconds=seconds)]
    return [gettext("Set the camera's clock: it is %(seconds)s seconds behind.", seconds=seconds)]
