"""E-mail addresses of the students in a file: each belongs to one student, of the database or of an earlier line."""

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Student
from attendance.texts import english


class StudentAddresses:
    """Whose an address is, while a file is read batch by batch."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._giving: dict[str, str] = {}
        self._there: dict[str, str] = {}

    def begin(self, db: Session, emails: Collection[str]) -> None:
        """Start a batch, perhaps anew, that gives these addresses."""
        query = sa.select(Student.email, Student.index_number).where(Student.email.in_(emails))
        self._there = {email: number for email, number in db.execute(query) if email is not None}
        self._giving = {}

    def refusal(self, email: str | None, index_number: str) -> str | None:
        """Why a student cannot have an address, or None."""
        if email is None:
            return None
        for holders in (self._giving, self._given, self._there):
            holder = holders.get(email)
            if holder is not None and holder != index_number:
                return english(
                    "%(email)s is the address of %(holder)s already. Each student has an address of their own.",
                    email=email,
                    holder=holder,
                )
        return None

    def give(self, email: str | None, index_number: str) -> None:
        """A line gives a student an address."""
        if email is not None:
            self._giving[email] = index_number

    def settle(self) -> None:
        """The batch is done."""
        self._given.update(self._giving)
