"""The rooms and their arrows: floors from the import rules of pyproject.toml, arrows from the imports themselves."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

from docs.from_code.svg import box, picture, text, way

CORE = "attendance"
JOBS: Mapping[str, tuple[str, str]] = {
    "operations": ("the command, doctor,", "erasure, the demo"),
    "accuracy": ("thresholds from the gallery's", "own pairs; evaluation"),
    "camera_client": ("captures, streams, survives;", "installs without the rest"),
    "recognition_service": ("frames in,", "attendance out"),
    "index_builder": ("photos and pickles in,", "an index out"),
    "webapp": ("the lecturers'", "dashboard"),
    "protos": ("the gRPC contract", "attendance.v1"),
    "attendance.database": ("tables, migrations,", "the rules of attendance"),
    "attendance.settings": ("configuration", ""),
    "attendance.tables": ("CSV, and one", "rule a field"),
    "attendance.gallery": ("store and index", "of encodings"),
    "attendance.face_engine": ("pixels in,", "faces out"),
}
"""What each room is for, in two short lines."""

_CENTRES: Mapping[str, float] = {
    "operations": 0.375,
    "accuracy": 0.67,
    "attendance.database": 0.79,
    "protos": 0.1,
    "attendance.settings": 0.3,
    "attendance.face_engine": 0.5,
    "attendance.gallery": 0.7,
    "attendance.tables": 0.9,
}
"""Where a box stands, as a share of the width, so that few arrows cross; the others are spread over their floor."""

_WIDTH, _BOX_WIDTH, _BOX_HEIGHT, _STEP = 1000, 186, 78, 134
_CORE_BOX_WIDTH = 148


@dataclass(frozen=True, slots=True)
class House:
    """The rooms by floor, the highest first, and who imports whom."""

    floors: Sequence[Sequence[str]]
    arrows: frozenset[tuple[str, str]]

    @property
    def rooms(self) -> list[str]:
        """All rooms, from the highest floor down."""
        return [room for floor in self.floors for room in floor]

    def drawn(self) -> frozenset[tuple[str, str]]:
        """The arrows that do not follow from others."""
        return frozenset(arrow for arrow in self.arrows if not self._follows(arrow))

    def _follows(self, arrow: tuple[str, str]) -> bool:
        start, end = arrow
        reached, waiting = set[str](), [start]
        while waiting:
            here = waiting.pop()
            onward = {to for by, to in self.arrows if by == here and (by, to) != arrow} - reached
            reached |= onward
            waiting += onward
        return end in reached


def read_house(root: Path) -> House:
    """Read the import rules under `root` and the imports of the rooms that they name."""
    rules = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = [contract["layers"] for contract in rules["contracts"] if contract["type"] == "layers"]
    floors = [_names(layer) for layer in layers[0]]
    inner = [_names(layer) for layer in layers[1]]
    ground = [[room for room in floor if room != CORE] for floor in floors]
    floors = [*ground[:-1], *inner[:-1], [*ground[-1], *inner[-1]]]
    graph = grimp.build_graph(*rules["root_packages"])
    rooms = [room for floor in floors for room in floor]
    arrows = {
        (a, b)
        for a in rooms
        for b in rooms
        if a != b and graph.direct_import_exists(importer=a, imported=b, as_packages=True)
    }
    return House(floors, frozenset(arrows))


def draw_rooms(house: House) -> str:
    """The picture, as SVG."""
    places = _places(house)
    core = [places[room] for room in house.rooms if room.startswith(f"{CORE}.")]
    left, top = min(x for x, _, _ in core) - 12, min(y for _, y, _ in core) - 30
    right = max(x + width for x, _, width in core) + 12
    height = max(y for _, y, _ in places.values()) + _BOX_HEIGHT + 44
    parts = [
        box(left, top, right - left, height - 14 - top, "frame"),
        text(left + 12, height - 26, "attendance/ (the core)"),
    ]
    parts += [_arrow(places[by], places[to], f"{by} imports {to}") for by, to in sorted(house.drawn())]
    for room, (x, y, width) in places.items():
        first, second = JOBS.get(room, ("", ""))
        name = room.removeprefix(f"{CORE}.") + "/"
        parts += [box(x, y, width, _BOX_HEIGHT), text(x + width / 2, y + 24, name, "name", middle=True)]
        parts += [text(x + width / 2, y + 44, first, middle=True), text(x + width / 2, y + 61, second, middle=True)]
    said = "; ".join(f"{by} imports {to}" for by, to in sorted(house.drawn()))
    return picture(_WIDTH, height, f"The rooms and who imports whom: {said}", parts)


def rooms_table(house: House) -> str:
    """All arrows as a Markdown table: a row for each room that imports others."""
    rows = ["| room | imports |", "| --- | --- |"]
    for room in house.rooms:
        imported = [f"`{_path(to)}`" for to in house.rooms if (room, to) in house.arrows]
        rows.append(f"| `{_path(room)}` | {', '.join(imported) or 'nothing of ours'} |")
    return "\n".join(rows)


def _path(room: str) -> str:
    return room.replace(".", "/") + "/"


def _names(layer: str) -> list[str]:
    return [name.strip() for name in layer.split("|")]


def _places(house: House) -> dict[str, tuple[float, float, float]]:
    """For each room its box's left edge, top edge and width, pixels."""
    places: dict[str, tuple[float, float, float]] = {}
    for number, floor in enumerate(house.floors):
        width = _CORE_BOX_WIDTH if any(room.startswith(CORE) for room in floor) else _BOX_WIDTH
        step = _WIDTH / len(floor)
        for place, room in enumerate(floor):
            centre = _WIDTH * _CENTRES[room] if room in _CENTRES else step * (place + 0.5)
            places[room] = (centre - width / 2, 24 + number * _STEP, width)
    return places


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float], hint: str) -> str:
    """From the lower edge of a box to the upper edge of another, leaving and arriving towards each other."""
    lean = max(-1.0, min(1.0, (end[0] - start[0]) / _WIDTH * 2))
    x, y = start[0] + start[2] * (0.5 + 0.4 * lean), start[1] + _BOX_HEIGHT
    to_x, to_y = end[0] + end[2] * (0.5 - 0.4 * lean), end[1] - 2
    middle = (y + to_y) / 2
    return way(f"M{x:.0f} {y:.0f} C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}", hint)
