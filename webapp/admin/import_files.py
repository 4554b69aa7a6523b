"""Uploaded files between being tried and being imported, and the reports of both; in the data folder, for a day."""

import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from webapp.imports.report import Report

KEPT_S = 86_400.0
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
_UPLOAD, _STATE, _REPORT = "upload.csv", "state.json", "report.csv"


@dataclass(frozen=True)
class Upload:
    """A file that an administrator chose.

    Attributes:
        kind: which of `webapp.imports.kinds.KINDS`.
        by: the administrator's id; nobody else sees it.
        file_name: as the browser named it.
        course_id: the only course meant, or None.
        done: whether it was imported; before, it was only tried.
        report: of the trial, then of the import.
    """

    kind: str
    by: int
    file_name: str
    course_id: int | None
    done: bool
    report: Report


class ImportFiles:
    """The uploads kept in one folder, which several worker processes may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, data: bytes) -> str:
        """Keep a file; returns the token that names it from now on. Files older than a day go."""
        self.sweep()
        token = secrets.token_urlsafe(16)
        place = self._folder / token
        place.mkdir(parents=True, mode=0o700)
        (place / _UPLOAD).write_bytes(data)
        return token

    def data(self, token: str) -> bytes | None:
        """The file, or None once it was imported or is too old."""
        try:
            return (self._place(token) / _UPLOAD).read_bytes()
        except FileNotFoundError:
            return None

    def save(self, token: str, upload: Upload) -> None:
        """Keep what is known of a file, whole or not at all; what was imported is not needed any more."""
        place = self._place(token)
        fresh = place / f"{_STATE}.{secrets.token_hex(4)}"
        fresh.write_text(json.dumps({**asdict(upload), "report": upload.report.to_json()}), "utf-8")
        os.replace(fresh, place / _STATE)  # noqa: PTH105 - the same call under the name that says atomic
        if upload.done:
            (place / _UPLOAD).unlink(missing_ok=True)

    def load(self, token: str) -> Upload | None:
        """What is known of a file, or None for a token that names none."""
        try:
            values: dict[str, Any] = json.loads((self._place(token) / _STATE).read_text("utf-8"))
        except FileNotFoundError:
            return None
        return Upload(**{**values, "report": Report.from_json(values["report"])})

    @contextmanager
    def report(self, token: str) -> Iterator[IO[str]]:
        """A file to write the report of all lines to; it takes the place of the last one when it is complete."""
        place = self._place(token)
        fresh = place / f"{_REPORT}.{secrets.token_hex(4)}"
        try:
            with fresh.open("w", encoding="utf-8", newline="") as file:
                yield file
            os.replace(fresh, place / _REPORT)  # noqa: PTH105
        finally:
            fresh.unlink(missing_ok=True)

    def report_path(self, token: str) -> Path:
        """Where the report of all lines is."""
        return self._place(token) / _REPORT

    def drop(self, token: str) -> None:
        """Forget a file."""
        shutil.rmtree(self._place(token), ignore_errors=True)

    def sweep(self) -> None:
        """Forget files that are older than a day."""
        if not self._folder.is_dir():
            return
        for place in self._folder.iterdir():
            try:
                if time.time() - place.stat().st_mtime > KEPT_S:
                    shutil.rmtree(place, ignore_errors=True)
            except FileNotFoundError:
                continue  # another worker swept at the same moment

    def _place(self, token: str) -> Path:
        if not _TOKEN.fullmatch(token):
            raise FileNotFoundError(token)
        return self._folder / token
