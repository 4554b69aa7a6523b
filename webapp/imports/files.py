"""Files between being tried and being imported, and the reports of both; in the database, for a day.

Any replica of the dashboard may be asked next, so nothing of an import stays in the one that was asked first.
"""

import secrets
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import FileContent, ImportedFile, ImportedFilePart, utc_now
from attendance.database.transactions import transact
from attendance.tables.writing import csv_lines, csv_rows
from webapp.imports.report import REPORT_HEADER, Outcome, Report, report_row

KEPT = timedelta(days=1)
MOST_REPORT_BYTES = 16_000_000
"""Compressed; a longer report ends with a line that says so."""
_MOST_FILES = 10
"""Of one administrator; older ones go before their day is over."""
# Before compression. Twice that, should every byte need an escape, is less than the smallest statement that a server
# takes by default (MySQL's max_allowed_packet was 1 MiB once).
_PART_BYTES = 256 * 1024
_CUT = ("", "", "", "The report ends here, because it would become too large. Split the file.", "")


def new_name() -> str:
    """What names a file, or files that belong together, in addresses: 128 random bits."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class Upload:
    """A file that an administrator chose.

    Attributes:
        kind: which of `webapp.imports.kinds.ALL_KINDS`.
        file_name: as the browser named it.
        course_id: the only course meant, or None.
        report: of the trial, then of the import.
        done: whether it was imported; before, it was only tried.
        row: its number in the database; 0 before it is there.
        token: names it in addresses; "" before it is there.
        together: names the import of several files that it is one of; None: it is the only one.
    """

    kind: str
    file_name: str
    course_id: int | None
    report: Report
    done: bool = False
    row: int = 0
    token: str = ""
    together: str | None = None


@dataclass
class ReportFile:
    """The report of all lines while it is written, as compressed parts of a CSV file."""

    parts: list[bytes] = field(default_factory=list)
    _text: list[str] = field(default_factory=lambda: list(csv_lines(REPORT_HEADER, [])))
    _waiting: int = 0
    _size: int = 0

    def write(self, outcome: Outcome) -> None:
        """Add a line, if there is anything to say of it."""
        if not (outcome.message or outcome.question) or self._size > MOST_REPORT_BYTES:
            return
        self._add(report_row(outcome))
        if self._waiting > _PART_BYTES:
            self._flush()
            if self._size > MOST_REPORT_BYTES:
                self._add(_CUT)

    def finished(self) -> Sequence[bytes]:
        """All parts, once everything is written."""
        self._flush()
        return self.parts

    def _add(self, row: Sequence[str]) -> None:
        (text,) = csv_rows([row])
        self._text.append(text)
        self._waiting += len(text)

    def _flush(self) -> None:
        if self._text:
            part = zlib.compress("".join(self._text).encode())
            self.parts.append(part)
            self._size += len(part)
        self._text, self._waiting = [], 0


class ImportFiles:
    """The files of one administrator.

    Args:
        db: a session with nothing pending.
        account_id: whose files; those of others are not there.
    """

    def __init__(self, db: Session, account_id: int) -> None:
        self._db = db
        self._lecturer_id = account_id

    def keep(self, upload: Upload, data: bytes, report: Sequence[bytes]) -> str:
        """Keep a file that was tried, with its report; returns the token that names it from now on."""
        token = new_name()

        def write(db: Session) -> None:
            self._sweep(upload.together)
            row = ImportedFile(
                token=token,
                account_id=self._lecturer_id,
                kind=upload.kind,
                file_name=upload.file_name,
                course_id=upload.course_id,
                together=upload.together,
                report=upload.report.to_json(),
            )
            db.add(row)
            db.flush()
            cut = (data[start : start + _PART_BYTES] for start in range(0, len(data), _PART_BYTES))
            self._add_parts(row.id, FileContent.FILE, map(zlib.compress, cut))
            self._add_parts(row.id, FileContent.REPORT, iter(report))

        transact(self._db, write)
        return token

    def load(self, token: str) -> Upload | None:
        """What is known of a file, or None for a token that names none of this administrator's."""
        return next(iter(self._load(ImportedFile.token == token)), None)

    def load_together(self, name: str) -> list[Upload]:
        """The files of one import, in their order; none for a name that is none of this administrator's."""
        return self._load(ImportedFile.together == name)

    def _load(self, which: sa.ColumnElement[bool]) -> list[Upload]:
        mine = (ImportedFile.account_id == self._lecturer_id, ImportedFile.uploaded_at > utc_now() - KEPT)
        rows = self._db.scalars(sa.select(ImportedFile).where(which, *mine).order_by(ImportedFile.id))
        return [
            Upload(
                row.kind,
                row.file_name,
                row.course_id,
                Report.from_json(row.report),
                row.done,
                row.id,
                row.token,
                row.together,
            )
            for row in rows
        ]

    def data(self, upload: Upload) -> bytes | None:
        """The file, or None once it was imported."""
        return b"".join(map(zlib.decompress, self._parts(upload, FileContent.FILE))) or None

    def report(self, upload: Upload) -> Iterator[bytes]:
        """The report of all lines, in pieces; they need the database no more."""
        return map(zlib.decompress, self._parts(upload, FileContent.REPORT))

    def finish(self, upload: Upload, report: Report, parts: Sequence[bytes]) -> None:
        """Keep the report of the import in place of the trial's; the file is not needed any more.

        Where somebody else finished the same file meanwhile, their report stays.
        """
        self._replace(upload, report, parts, done=True)

    def try_again(self, upload: Upload, report: Report, parts: Sequence[bytes]) -> None:
        """Keep the report of another trial of the file in place of the first."""
        self._replace(upload, report, parts, done=False)

    def _replace(self, upload: Upload, report: Report, parts: Sequence[bytes], *, done: bool) -> None:
        tried = (ImportedFile.id == upload.row, ~ImportedFile.done)
        update = sa.update(ImportedFile).where(*tried).values(done=done, report=report.to_json())
        gone = sa.delete(ImportedFilePart).where(ImportedFilePart.file_id == upload.row)
        if not done:
            gone = gone.where(ImportedFilePart.content == FileContent.REPORT)

        def write(db: Session) -> None:
            if db.connection().execute(update).rowcount:
                db.execute(gone)
                self._add_parts(upload.row, FileContent.REPORT, iter(parts))

        transact(self._db, write)

    def _sweep(self, together: str | None) -> None:
        """Forget files that are older than a day, and the oldest of many that do not belong to the present import."""
        self._db.execute(sa.delete(ImportedFile).where(ImportedFile.uploaded_at <= utc_now() - KEPT))
        mine = sa.select(ImportedFile.id).where(ImportedFile.account_id == self._lecturer_id)
        if together is not None:
            mine = mine.where(sa.or_(ImportedFile.together.is_(None), ImportedFile.together != together))
        old = self._db.scalars(mine.order_by(ImportedFile.id.desc())).all()[_MOST_FILES - 1 :]
        self._db.execute(sa.delete(ImportedFile).where(ImportedFile.id.in_(old)))

    def _add_parts(self, row: int, content: FileContent, parts: Iterator[bytes]) -> None:
        for place, data in enumerate(parts):
            # One statement a part: together they may be more than a server takes at once.
            values = {"file_id": row, "content": content, "place": place, "data": data}
            self._db.execute(sa.insert(ImportedFilePart).values(values))

    def _parts(self, upload: Upload, content: FileContent) -> Sequence[bytes]:
        query = sa.select(ImportedFilePart.data).where(
            ImportedFilePart.file_id == upload.row, ImportedFilePart.content == content
        )
        return self._db.scalars(query.order_by(ImportedFilePart.place)).all()
