"""What the large files of a term cost: each is made by a process of its own, whose memory is looked at afterwards."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from attendance.database.models import Account
from attendance.settings import Settings
from benchmarks.register.pages import signed_in
from benchmarks.register.term import Term
from webapp.app import create_app
from webapp.tools.storage import sessions_of

EXAM_OFFICE, EVERY_RECORD = "exam office's file", "every record"
FILES = {
    EXAM_OFFICE: "/exam-office.csv",
    f"{EXAM_OFFICE}, Excel": "/exam-office.xlsx",
    EVERY_RECORD: "/records.csv",
    f"{EVERY_RECORD}, Excel": "/records.xlsx",
}
"""By name, the address of each."""


def measure_files(url: str, folder: Path, term: Term) -> dict[str, dict[str, Any]]:
    """Seconds, bytes and the largest memory of a process that makes the file, and does nothing before.

    Args:
        url: of the database, filled.
        folder: the dashboard's data folder.
        term: who asks: its administrator.

    Raises:
        subprocess.CalledProcessError: a file was not answered.
    """
    found = {}
    for name, path in FILES.items():
        command = [sys.executable, "-m", __spec__.name, url, str(folder), str(term.admin), path]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Make one file as the dashboard does, and print what it cost as JSON."""
    url, folder, person, path = sys.argv[1:]
    settings = Settings.model_validate({"data": {"directory": folder}, "database": {"url": url}})
    app = create_app(settings)
    sessions = sessions_of(app)
    with sessions() as db:
        admin = db.get_one(Account, int(person))
    client = signed_in(app, admin)
    before = _peak_mib()
    began = time.perf_counter()
    answer = client.get(path, buffered=False)
    if answer.status_code != 200:
        raise SystemExit(f"{path}: {answer.status}")
    first: float | None = None
    size = lines = 0
    for block in answer.response:
        first = first or time.perf_counter() - began
        size += len(block)
        lines += block.count(b"\n")  # type: ignore[arg-type] # bytes, whatever the types say
    answer.close()
    seconds = time.perf_counter() - began
    cost = {"seconds": seconds, "first_s": first, "megabytes": size / 1e6, "peak_mib": _peak_mib(), "idle_mib": before}
    print(json.dumps({"path": path, "lines": lines if path.endswith(".csv") else None, **cost}))


def _peak_mib() -> float:
    """What this process ever had in memory; `getrusage` would count what its parent had before starting it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM:")).split()[1]) / 1024


if __name__ == "__main__":
    main()
