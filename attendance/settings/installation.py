"""Settings of the installation: who runs it, where its files are, how long they are kept, what is logged."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, field_validator

from attendance.patterns import LONGEST_PATTERN, Pattern
from attendance.settings.section import PathInside, Section

_SQLITE_FILE = re.compile(r"sqlite(?:\+pysqlite)?:///(?!:memory:|file:)(?P<path>[^?]+)(?:\?.*)?")


class LogFormat(StrEnum):
    """How log events are written: for people at a terminal, or one JSON object a line for machines."""

    CONSOLE = "console"
    JSON = "json"


ZONE_LEFT = "UTC"
ZONE_LEFT_WARNING = (
    "institution.timezone is UTC, as it is when nobody sets it. If clocks there show another time, set it before a "
    "timetable is imported: sessions would be at other hours, and shift when it is set later. If they show UTC, set "
    "Etc/UTC."
)


class InstitutionSettings(Section):
    """Who runs the system."""

    name: str = Field("Class attendance", min_length=1, max_length=120, description="Shown at the top of every page.")
    timezone: str = Field("UTC", description="IANA zone in which times are shown and typed, e.g. Europe/Warsaw.")

    language: str = Field(
        "en", description="Of pages and mail where a person's own is not known: en (English) or fr (French)."
    )
    registers_by: Literal["name", "family"] = Field(
        "name",
        description="By which registers are ordered unless a person asks otherwise: name, or family: what stands "
        "before a comma, or the last word.",
    )
    index_pattern: str = Field(
        "",
        max_length=LONGEST_PATTERN,
        description="What index numbers look like, a regular expression that the whole number matches, e.g. [0-9]{6}. "
        "Empty: any.",
    )

    @field_validator("index_pattern")
    @classmethod
    def _usable_pattern(cls, value: str) -> str:
        if value:
            Pattern(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone (e.g. Europe/Warsaw)") from error
        return value

    @property
    def zone_warning(self) -> str | None:
        """What to think of when the zone was left at what it is at first; None when it was not."""
        return ZONE_LEFT_WARNING if self.timezone == ZONE_LEFT else None


class DataSettings(Section):
    """Where the system keeps its files."""

    directory: Path = Field(Path("attendance-data"), description="Folder of the database, store, index and outbox.")


class DatabaseSettings(Section):
    """The shared database."""

    url: Annotated[SecretStr | None, PathInside(_SQLITE_FILE)] = Field(
        None,
        description="SQLAlchemy address, e.g. mysql+pymysql://user:password@host/name. Default: SQLite in data.",
    )
    pool_size: int = Field(5, ge=1, le=100, description="Connections kept open by one process (MySQL and MariaDB).")


class GallerySettings(Section):
    """The enrolled students' encodings and the index built from them."""

    store: Path | None = Field(
        None, description="Pickle store of encodings. Default: gallery/encodings.pickle in the data folder."
    )
    index: Path | None = Field(
        None, description="Folder of published indexes. Default: gallery/index in the data folder."
    )


class RetentionSettings(Section):
    """How long things are kept; `attendance purge` deletes what is older. 0: kept for ever."""

    evidence_days: int = Field(
        180, ge=0, le=36_500, description="Days that what confirmed a student (distances, times) is kept."
    )
    job_days: int = Field(30, ge=0, le=36_500, description="Days that reports of enrolments and erasures are kept.")
    attendance_days: int = Field(
        0, ge=0, le=36_500, description="Days after a class session that it and its attendance are kept."
    )
    mail_days: int = Field(
        30,
        ge=0,
        le=36_500,
        description="Days that the queues keep mail and webhooks that were sent or failed; 0, or 8 and more.",
    )
    audit_days: int = Field(
        365, ge=0, le=36_500, description="Days that entries of the audit log are kept; 0, or 30 and more."
    )

    @field_validator("audit_days")
    @classmethod
    def _as_long_as_the_database_keeps_it(cls, value: int) -> int:
        if 0 < value < 30:  # `attendance.database.audit.protection.KEPT_DAYS`; the sentence names the bound
            raise ValueError("must be 0, or 30 or more: the database refuses to delete younger entries")
        return value

    @field_validator("mail_days")
    @classmethod
    def _longer_than_a_week(cls, value: int) -> int:
        if 0 < value < 8:  # the sentence names the bound
            raise ValueError("must be 0, or 8 or more: by its row in the queue a weekly summary is known to be sent")
        return value


class LogSettings(Section):
    """What the programs write about themselves."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    format: LogFormat = Field(LogFormat.JSON, description="json (one object a line) or console.")
