"""What `attendance web work` found when it last looked after what the programs depend on."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from attendance.database.models.base import UTF8, Base
from attendance.database.types import SaidText, UtcDateTime, identifier_type


class StandingCheck(Base):
    """A thing that is looked after by itself; see `attendance.database.upkeep.checks`."""

    __tablename__ = "standing_check"
    __table_args__ = (UTF8,)

    name: Mapped[str] = mapped_column(identifier_type(40), primary_key=True)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: all was well
    problem: Mapped[str | None] = mapped_column(SaidText(500))  # a sentence for people
    # What was found when all was last well, for example the addresses that a provider gives; no secrets.
    found: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when that was last another than before
