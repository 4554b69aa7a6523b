"""`python -m benchmarks.matching.document`: put the tables of results.json into docs/performance.md."""

import json
from pathlib import Path
from typing import Any

from benchmarks.matching.table import tables

RESULTS = Path(__file__).with_name("results.json")
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks.matching: begin -->", "<!-- benchmarks.matching: end -->"


def filled(text: str, results: dict[str, Any]) -> str:
    """The document with the tables between the two marks, and everything else as it was.

    Raises:
        ValueError: the marks are not there.
    """
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise ValueError("it has no place for the tables of matching")
    return f"{before}{BEGIN}\n\n{tables(results)}\n\n{END}{after}"


def main() -> None:
    """Replace what stands between the two marks."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    try:
        text = filled(DOCUMENT.read_text(encoding="utf-8"), results)
    except ValueError as error:
        raise SystemExit(f"{DOCUMENT}: {error}") from None
    DOCUMENT.write_text(text, encoding="utf-8")
    print(f"Filled: {DOCUMENT.name}")


if __name__ == "__main__":
    main()
