"""The rooms and their arrows: floors from the import rules of pyproject.toml, arrows from the imports themselves."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grimp

from docs.from_code.svg import box, picture, text, way

CORE = "attendance"
_ROOT = Path(__file__).parents[2]
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
    "attendance.reports": ("HTML reports", "that people keep"),
    "attendance.errors": ("one root error", ""),
    "attendance.backoff": ("waits that grow", ""),
    "attendance.face_engine": ("pixels in,", "faces out"),
}
"""What each room is for, in two short lines."""

_ORDER = ("protos", "attendance.settings", "attendance.face_engine", "attendance.gallery", "attendance.tables")
"""From left to right on one floor, so that few arrows cross; others stand right of the settings."""
_CORE_FROM = 0.2
"""Left of this share of the width stands what is not the core."""
_LONE: Mapping[str, float] = {"operations": 0.375, "accuracy": 0.67}
"""Where a room stands that has a floor of its own, as a share of the width."""

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
    # What stands beside the core as a whole is drawn beside its widest floor.
    widest = max(inner, key=len)
    widest[:0] = [room for room in floors[-1] if room != CORE]
    floors = [*floors[:-1], *inner]
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
        name = _path(room).removeprefix(f"{CORE}/")
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
    path = room.replace(".", "/")
    return f"{path}.py" if (_ROOT / f"{path}.py").exists() else f"{path}/"


def _names(layer: str) -> list[str]:
    return [name.strip() for name in layer.split("|")]


def _places(house: House) -> dict[str, tuple[float, float, float]]:
    """For each room its box's left edge, top edge and width, pixels."""
    places: dict[str, tuple[float, float, float]] = {}
    for number, floor in reversed(list(enumerate(house.floors))):
        width = _CORE_BOX_WIDTH if any(room.startswith(CORE) for room in floor) else _BOX_WIDTH
        for room, centre in _centres(floor, house.floors[number + 1 :]).items():
            places[room] = (centre * _WIDTH - width / 2, 24 + number * _STEP, width)
    return {room: places[room] for room in house.rooms}


def _centres(floor: Sequence[str], below: Sequence[Sequence[str]]) -> dict[str, float]:
    """Where the boxes of a floor stand, as shares of the width."""
    known = {room: number for number, room in enumerate(_ORDER)}
    ordered = sorted(floor, key=lambda room: known.get(room, 1.5)) if known.keys() & set(floor) else list(floor)
    left = _CORE_FROM if all(room.startswith(CORE) for room in floor) else 0.0
    centres = {room: left + (1 - left) * (place + 0.5) / len(floor) for place, room in enumerate(ordered)}
    if len(floor) == 1 and floor[0].startswith(CORE) and below:
        # Above the last gap of the floor below, where no arrow passes.
        return {floor[0]: 1 - 1 / len(below[0])}
    return {room: _LONE.get(room, centre) if len(floor) == 1 else centre for room, centre in centres.items()}


def _arrow(start: tuple[float, float, float], end: tuple[float, float, float], hint: str) -> str:
    """From the lower edge of a box to the upper edge of another, leaving and arriving towards each other."""
    lean = max(-1.0, min(1.0, (end[0] - start[0]) / _WIDTH * 2))
    x, y = start[0] + start[2] * (0.5 + 0.4 * lean), start[1] + _BOX_HEIGHT
    to_x, to_y = end[0] + end[2] * (0.5 - 0.4 * lean), end[1] - 2
    middle = (y + to_y) / 2
    return way(f"M{x:.0f} {y:.0f} C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}", hint)
