"""`python -m benchmarks.register`: what pages and changes cost with a term of data, on SQLite and on MariaDB.

A term is made up in a fresh database of each kind. Every page is fetched in turn with an empty one, a signed-in
register of no students, in one process; the matrix in turn with its rows written as CSV; closing a session and a bulk
change in turn with one bulk insert of the rows that they write. Each large file is made by a process of its own, whose
memory is looked at. MariaDB is a server of the benchmark's own, if one is installed. Without --quick it writes
results.json beside this file, from which `python -m benchmarks.document` fills docs/performance.md.
"""

import argparse
import json
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from attendance.database.engine import create_database_engine, session_factory, upgrade
from attendance.settings import Settings
from benchmarks import costs
from benchmarks.register.changes import measure_changes
from benchmarks.register.files import measure_files
from benchmarks.register.matrix import measure_matrix
from benchmarks.register.pages import EMPTY, measure_pages
from benchmarks.register.table import tables, targets
from benchmarks.register.term import SMALL, Size, a_moment, make_term
from tests.mariadb import find_program, start_server
from webapp.app import create_app
from webapp.tools.storage import engine_of, sessions_of

RESULTS = Path(__file__).with_name("results.json")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small term, few rounds: does it work at all")
    parser.add_argument("--only", choices=("SQLite", "MariaDB"), help="leave the other database out")
    parser.add_argument("--rounds", type=int, help="fetches of each page")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    rounds = options.rounds or (3 if options.quick else 25)
    results: dict[str, Any] = {
        **costs.circumstances(),
        "rounds": rounds,
        "databases": {},
    }
    with tempfile.TemporaryDirectory(prefix="register-") as folder:
        for name, url in _databases(Path(folder), options.only):
            measured = _measure(name, url, Path(folder) / name, SMALL if options.quick else Size(), rounds)
            results["rows"] = measured.pop("rows")
            results["databases"][name] = measured
    print(f"\n{tables(results)}\n\n" + "\n".join(targets(results)))
    if not options.quick and not options.only:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        print(f"Written: {RESULTS}")


def _databases(folder: Path, only: str | None) -> Iterator[tuple[str, str]]:
    if only != "MariaDB":
        yield "SQLite", f"sqlite:///{folder / 'attendance.db'}"
    if only != "SQLite":
        with _mariadb(folder / "server") as url:
            yield "MariaDB", url


@contextmanager
def _mariadb(folder: Path) -> Iterator[str]:
    folder.mkdir()
    server = start_server(folder, _program)
    try:
        server.execute("CREATE DATABASE term CHARACTER SET utf8mb4")
        yield server.url("term")
    finally:
        server.stop()


def _program(names: list[str], package: str) -> str:
    found = find_program(names)
    if found is None:
        raise SystemExit(f"needs {names[0]}: sudo apt-get install {package}; or --only SQLite")
    return found


def _measure(name: str, url: str, folder: Path, size: Size, rounds: int) -> dict[str, Any]:
    engine = create_database_engine(url)
    upgrade(engine)
    sessions = session_factory(engine)
    began = time.monotonic()
    with sessions() as db:
        term = make_term(db, size, now=a_moment())
    print(f"{name}: a term of {term.rows['attendance']:,} entries made in {time.monotonic() - began:.0f} s", flush=True)
    settings = Settings.model_validate({"data": {"directory": folder}, "database": {"url": url}})
    app = create_app(settings)
    try:
        pages = measure_pages(app, sessions_of(app), term, rounds=rounds)
        matrix = measure_matrix(app, sessions_of(app), term, rounds=rounds)
    finally:
        engine_of(app).dispose()
    empty = next(page for page in pages if page.name == EMPTY).result(1.0)["ms"] / 1_000
    files = measure_files(url, folder, term)
    changes = measure_changes(sessions, term, rounds=rounds)
    engine.dispose()
    measured = {page.name: page.result(empty) for page in pages}
    return {"pages": measured, "matrix": matrix, "files": files, "changes": changes, "rows": term.rows}


if __name__ == "__main__":
    main()
