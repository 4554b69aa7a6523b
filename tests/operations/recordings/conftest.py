"""A term with recordings, on SQLite: no statement of this room is its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from attendance.settings import Settings
from tests.operations.recordings.lectures import PATTERN, Term, term


@pytest.fixture
def lectures(tmp_path: Path) -> Iterator[Term]:
    """An installation, and a folder for its recordings."""
    data = tmp_path / "data"
    settings = Settings.model_validate(
        {
            "data": {"directory": data},
            "database": {"url": f"sqlite:///{data / 'attendance.db'}"},
            "institution": {"timezone": "Europe/Warsaw"},
            "attendance": {"settle_minutes": 0},
        }
    )
    with term(tmp_path, settings) as made:
        yield made


@pytest.fixture
def command(lectures: Term, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command's words, in an environment with the term's settings."""
    settings = lectures.settings
    for name, value in {
        "DATA_DIRECTORY": settings.data.directory,
        "INSTITUTION_TIMEZONE": settings.institution.timezone,
        "ATTENDANCE_SETTLE_MINUTES": 0,
        "RECORDINGS_TOKEN_FILE": settings.recordings.token_file,
        "RECORDINGS_STRETCH_S": 4,
        "RECORDINGS_RATE": 2,
        "LOG_LEVEL": "error",
    }.items():
        monkeypatch.setenv(f"ATTENDANCE_{name}", str(value))
    return ["recordings", "run", str(lectures.folder), "--name", PATTERN]
