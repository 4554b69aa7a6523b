"""`python -m benchmarks.document`: put the tables of the benchmarks' results.json into the documents."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.flood.table import tables as flood_tables
from benchmarks.gpu.table import tables as gpu_tables
from benchmarks.matching.table import tables as matching_tables
from benchmarks.presentation.table import tables as presentation_tables
from benchmarks.register.table import tables as register_tables
from benchmarks.scaling.table import tables as scaling_tables
from benchmarks.service.table import tables as service_tables

_DOCUMENTS = Path(__file__).parents[1] / "docs"
_ELSEWHERE = {"scaling": "scaling.md"}
"""Documents of those whose tables are not in performance.md."""
TABLES: dict[str, Callable[[dict[str, Any]], str]] = {
    "flood": flood_tables,
    "gpu": gpu_tables,
    "matching": matching_tables,
    "presentation": presentation_tables,
    "register": register_tables,
    "scaling": scaling_tables,
    "service": service_tables,
}
"""What is made of each benchmark's results."""


def document_of(name: str) -> Path:
    """Where a benchmark's tables stand."""
    return _DOCUMENTS / _ELSEWHERE.get(name, "performance.md")


def marks(name: str) -> tuple[str, str]:
    """The lines of the document between which a benchmark's tables stand."""
    return f"<!-- benchmarks.{name}: begin -->", f"<!-- benchmarks.{name}: end -->"


def results_of(name: str) -> dict[str, Any]:
    """What a benchmark wrote last."""
    path = Path(__file__).with_name(name) / "results.json"
    results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return results


def filled(text: str, name: str, results: dict[str, Any]) -> str:
    """The document with a benchmark's tables between its two marks, and everything else as it was.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = marks(name)
    before, _, rest = text.partition(begin)
    _, mark, after = rest.partition(end)
    if not mark:
        raise ValueError(f"it has no place for the tables of {name}")
    return f"{before}{begin}\n\n{TABLES[name](results)}\n\n{end}{after}"


def main() -> None:
    """Replace what stands between the marks."""
    for name in TABLES:
        document = document_of(name)
        try:
            text = filled(document.read_text(encoding="utf-8"), name, results_of(name))
        except ValueError as error:
            raise SystemExit(f"{document}: {error}") from None
        document.write_text(text, encoding="utf-8")
        print(f"Filled: {document.name}, {name}")


if __name__ == "__main__":
    main()
