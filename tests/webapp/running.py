"""A real `attendance web` for tests."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attendance.settings import Settings


def environ_for(settings: Settings, **more: str) -> dict[str, str]:
    """The environment of a dashboard with these settings' data, on a free port."""
    return {
        "ATTENDANCE_DATA_DIRECTORY": str(settings.data.directory),
        "ATTENDANCE_WEB_LISTEN": "127.0.0.1:0",
        "ATTENDANCE_WEB_WORKERS": "1",
        "ATTENDANCE_INSTITUTION_NAME": settings.institution.name,
        "ATTENDANCE_INSTITUTION_TIMEZONE": settings.institution.timezone,
        "ATTENDANCE_SERVICE_CLOSE_INTERVAL_S": "0.5",
        "ATTENDANCE_ATTENDANCE_SETTLE_MINUTES": "0",
        **more,
    }


def free_port() -> int:
    """A port of loopback that is free now: for a server that others must know before it is there."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running_dashboard(environ: Mapping[str, str], log: Path) -> Iterator[str]:
    """Run the dashboard; gives its address once it is ready, and stops it at the end as an operator would."""
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "operations.cli", "web"],
            env={"PATH": "/usr/bin:/bin", **environ},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the dashboard did not start: {line!r} {log.read_text(errors='replace')[-2000:]}"
        yield found[0]
        process.terminate()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
