"""Files that are being imported."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import UTF8, Base, utc_now
from attendance.database.types import UtcDateTime, enum_column_type, identifier_type, picture_type


class FileContent(StrEnum):
    """What a part belongs to."""

    FILE = "file"
    REPORT = "report"


class ImportedFile(Base):
    """A file that an administrator tries and then imports, with the report of both; kept for a day.

    In the database and not on a disk, so that any replica of the dashboard can go on with it.
    """

    __tablename__ = "imported_file"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(identifier_type(32), unique=True)  # its word in addresses
    account_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(sa.String(32))
    file_name: Mapped[str] = mapped_column(sa.String(120))
    # The same for files that are tried and imported together, in the order of their numbers; None: alone.
    together: Mapped[str | None] = mapped_column(identifier_type(32), index=True)
    # The only course meant, if one is; the file goes with it.
    course_id: Mapped[int | None] = mapped_column(sa.ForeignKey("course.id", ondelete="CASCADE"), index=True)
    done: Mapped[bool] = mapped_column(default=False)  # imported; before, only tried
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # of the trial, then of the import
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class ImportedFilePart(Base):
    """A part of a file or of its report, small enough for one statement."""

    __tablename__ = "imported_file_part"
    __table_args__ = (sa.UniqueConstraint("file_id", "content", "place"), UTF8)

    id: Mapped[int] = mapped_column(primary_key=True)
    file_id: Mapped[int] = mapped_column(sa.ForeignKey("imported_file.id", ondelete="CASCADE"))
    content: Mapped[FileContent] = mapped_column(enum_column_type(FileContent))
    place: Mapped[int]  # 0 is the first
    data: Mapped[bytes] = mapped_column(picture_type())  # compressed by zlib
