"""The results as tables in Markdown, and whether what was aimed at was reached."""

from typing import Any

from benchmarks.register.changes import BULK, CLOSING
from benchmarks.register.files import EXAM_OFFICE
from benchmarks.register.matrix import MATRIX
from benchmarks.register.pages import AT_RISK, COMPARED, EMPTY, REGISTER

MOST_OF_REGISTER, MOST_OF_DEPARTMENT, MOST_OF_PAGE, MOST_OF_CHANGE = 10.0, 10.0, 5.0, 4.0
MOST_OF_MATRIX = 4.0
"""Times fetching its rows and writing them as CSV."""
MOST_MIB = 200
"""Of a process that makes the exam office's file."""


def tables(results: dict[str, Any]) -> str:
    """What docs/performance.md shows."""
    parts = [
        f"{results['processor']}, {results['cores']} cores, {results['measured_at'][:10]}. "
        f"{_counted(results['rows'])}. Medians of {results['rounds']} fetches."
    ]
    for name, database in results["databases"].items():
        drawn = {"pages": _pages, "matrix": _matrix, "changes": _changes, "files": _files}
        # Results of an earlier version lack what was not measured then.
        parts += [f"**{name}**", *(draw(database[part]) for part, draw in drawn.items() if part in database)]
    return "\n\n".join(parts)


def targets(results: dict[str, Any]) -> list[str]:
    """One line for each aim, with what was measured."""
    lines = []
    apart = (EMPTY, REGISTER, AT_RISK, COMPARED)
    for name, database in results["databases"].items():
        others = {key: page["ratio"] for key, page in database["pages"].items() if key not in apart}
        slowest = max(others, key=lambda key: others[key])
        lines += [
            _line(name, REGISTER, database["pages"][REGISTER]["ratio"], MOST_OF_REGISTER),
            *(_line(name, key, database["pages"][key]["ratio"], MOST_OF_DEPARTMENT) for key in (AT_RISK, COMPARED)),
            _line(name, f"{MATRIX}, over CSV", database["matrix"][MATRIX]["ratio"], MOST_OF_MATRIX),
            _line(name, f"slowest other page ({slowest})", others[slowest], MOST_OF_PAGE),
            *(_line(name, key, database["changes"][key]["ratio"], MOST_OF_CHANGE) for key in (CLOSING, BULK)),
            _line(name, f"MiB of memory for the {EXAM_OFFICE}", database["files"][EXAM_OFFICE]["peak_mib"], MOST_MIB),
        ]
    return lines


def _line(database: str, what: str, ratio: float, most: float) -> str:
    return f"{database}: {what}: {ratio:.1f} (at most {most:g}): {'reached' if ratio <= most else 'NOT REACHED'}"


def _counted(rows: dict[str, int]) -> str:
    names = ("student", "course", "class_session", "attendance", "observation")
    return ", ".join(f"{rows.get(name, 0):,} rows of `{name}`" for name in names)


def _pages(pages: dict[str, dict[str, Any]]) -> str:
    heads = ("page", "ms", "over the empty page", "in SQL, ms", "statements", "in templates, ms", "kB")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name, page in sorted(pages.items(), key=lambda item: -item[1]["ratio"]):
        lines.append(
            f"| {name} | {page['ms']:.1f} | {page['ratio']:.1f} | {page['sql_ms']:.1f} | {page['statements']} |"
            f" {page['html_ms']:.1f} | {page['kilobytes']:.0f} |"
        )
    return "\n".join(lines)


def _matrix(matrices: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| page | ms | kB | rows | these rows fetched and written as CSV, ms | over it |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in matrices.items():
        lines.append(
            f"| {name} | {one['ms']:.1f} | {one['kilobytes']:.0f} | {one['rows']:,} | {one['csv_ms']:.1f} |"
            f" {one['ratio']:.1f} |"
        )
    return "\n".join(lines)


def _changes(changes: dict[str, dict[str, Any]]) -> str:
    lines = ["| change | ms | rows | bulk insert of these rows, ms | over it |", "|---|---|---|---|---|"]
    for name, one in changes.items():
        lines.append(f"| {name} | {one['ms']:.1f} | {one['rows']} | {one['insert_ms']:.1f} | {one['ratio']:.1f} |")
    return "\n".join(lines)


def _files(files: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| file | s | s to its first byte | MB | lines | MiB of memory, at most | of these before |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, one in files.items():
        lines.append(
            f"| {name} | {one['seconds']:.1f} | {one['first_s']:.1f} | {one['megabytes']:.1f} |"
            f" {format(one['lines'], ',') if one['lines'] else ''} | {one['peak_mib']:.0f} | {one['idle_mib']:.0f} |"
        )
    return "\n".join(lines)
