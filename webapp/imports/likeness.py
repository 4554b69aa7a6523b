"""Index numbers of a file that may be damaged ones of students who are there, or of an earlier line."""

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Student
from attendance.tables.index_numbers import likeness, likeness_key

_THERE = 0


class LikeNumbers:
    """Finds, for an index number that is new, one that is hardly told apart from it.

    Use: `begin` with each batch, `question` for each new index number of it, `settle` when the batch is done.
    """

    def __init__(self) -> None:
        # For each key the first index number with it, and its line.
        self._known: dict[str, tuple[str, int]] | None = None
        self._fresh: dict[str, tuple[str, int]] = {}

    def begin(self, db: Session) -> None:
        """Begin a batch, perhaps one that is done again."""
        if self._known is None:
            there = db.scalars(sa.select(Student.index_number))
            self._known = {likeness_key(number): (number, _THERE) for number in there}
        self._fresh = {}

    def question(self, index_number: str, line: int) -> str:
        """What must be asked about an index number that a line adds; "" if nothing."""
        key = likeness_key(index_number)
        found = (self._known or {}).get(key) or self._fresh.setdefault(key, (index_number, line))
        other, other_line = found
        if other == index_number:
            return ""
        where = "who is there already" if other_line == _THERE else f"on line {other_line}"
        return likeness(index_number, other, where)

    def hint(self, index_number: str) -> str:
        """A question that names an index number like one that is not there, with a space before it; "" if none is."""
        found = (self._known or {}).get(likeness_key(index_number))
        return "" if found is None or found[0] == index_number else f" Did you mean {found[0]}?"

    def settle(self) -> None:
        """What the last batch added counts as known."""
        if self._known is not None:
            self._known |= self._fresh
        self._fresh = {}


def numbers_like(db: Session, index_number: str) -> list[str]:
    """Index numbers of other students that are hardly told apart from this one."""
    key = likeness_key(index_number)
    numbers = db.scalars(sa.select(Student.index_number).order_by(Student.index_number))
    return [number for number in numbers if likeness_key(number) == key and number != index_number]
