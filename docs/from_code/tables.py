"""The tables of the database and what refers to what, from the models."""

import sqlalchemy as sa

from docs.from_code.svg import box, picture, text, way

_BOX_WIDTH, _LINE, _HEAD, _GAP_X, _GAP_Y, _EDGE = 214, 17, 30, 60, 22, 20


def draw_tables(metadata: sa.MetaData) -> str:
    """The picture, as SVG: a table stands to the right of those that it refers to, and names them in its columns."""
    stacks = _stacks(metadata)
    places, height = {}, 0.0
    for number, stack in enumerate(stacks):
        y = float(_EDGE)
        for table in stack:
            places[table.name] = (float(_EDGE + number * (_BOX_WIDTH + _GAP_X)), y)
            y += _height(table) + _GAP_Y
        height = max(height, y - _GAP_Y + _EDGE)
    tables = [table for stack in stacks for table in stack]
    parts = [line for table in tables for line in _ways(table, places)]
    parts += [line for table in tables for line in _box(table, places[table.name])]
    width = 2 * _EDGE + len(stacks) * (_BOX_WIDTH + _GAP_X) - _GAP_X
    said = "; ".join(f"{table.name}: {', '.join(column.name for column in table.columns)}" for table in tables)
    return picture(width, height, f"The tables. {said}", parts)


def _stacks(metadata: sa.MetaData) -> list[list[sa.Table]]:
    """The tables by how many references lie below them, the more referred to above the less."""
    depth: dict[str, int] = {}
    for table in metadata.sorted_tables:  # what is referred to comes first
        depth[table.name] = max((depth[name] + 1 for name in _referred(table)), default=0)
    popular = {name: sum(name in _referred(table) for table in metadata.sorted_tables) for name in depth}
    stacks: list[list[sa.Table]] = [[] for _ in range(max(depth.values()) + 1)]
    for table in sorted(metadata.sorted_tables, key=lambda table: (-popular[table.name], table.name)):
        stacks[depth[table.name]].append(table)
    return stacks


def _referred(table: sa.Table) -> set[str]:
    return {key.column.table.name for key in table.foreign_keys} - {table.name}


def _height(table: sa.Table) -> float:
    return _HEAD + _LINE * len(table.columns) + 8


def _box(table: sa.Table, place: tuple[float, float]) -> list[str]:
    x, y = place
    parts = [box(x, y, _BOX_WIDTH, _height(table)), text(x + 12, y + 20, table.name, "name")]
    for number, column in enumerate(table.columns):
        keys = sorted(key.column.table.name for key in column.foreign_keys)
        words = f"{column.name} → {keys[0]}" if keys else column.name + (" (or none)" if column.nullable else "")
        kind = "key" if keys or column.primary_key else "note"
        parts.append(text(x + 12, y + _HEAD + 10 + number * _LINE, words, kind))
    return parts


def _ways(table: sa.Table, places: dict[str, tuple[float, float]]) -> list[str]:
    """From each referring column to the head of the table that it refers to."""
    ways = []
    for number, column in enumerate(table.columns):
        for key in column.foreign_keys:
            target = key.column.table.name
            x, y = places[table.name][0], places[table.name][1] + _HEAD + 6 + number * _LINE
            to_x, to_y = places[target][0] + _BOX_WIDTH + 2, places[target][1] + 15
            bend = x - _GAP_X * 0.7
            ways.append(
                way(
                    f"M{x:g} {y:g} C{bend:g} {y:g} {to_x + _GAP_X * 0.7:g} {to_y:g} {to_x:g} {to_y:g}",
                    f"{table.name}.{column.name} refers to {target}",
                )
            )
    return ways
