"""`python -m benchmarks.service.document`: put the tables of results.json into docs/performance.md."""

import json
from pathlib import Path

from benchmarks.service.table import tables

RESULTS = Path(__file__).with_name("results.json")
DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- benchmarks.service: begin -->", "<!-- benchmarks.service: end -->"


def main() -> None:
    """Replace what stands between the two marks."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"{DOCUMENT} has no place for the tables")
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{tables(results)}\n\n{END}{after}", encoding="utf-8")
    print(f"Filled: {DOCUMENT.name}")


if __name__ == "__main__":
    main()
