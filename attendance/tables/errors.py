"""What goes wrong with a table: with the file as a whole, or with one line of it."""

from attendance.errors import AttendanceError


class TableError(AttendanceError):
    """The file as a whole cannot be read; the message is for the person who chose it."""


class LineError(AttendanceError):
    """One line cannot be used.

    Attributes:
        message: what is wrong, a sentence.
        column: the column at fault, or None for the line as a whole.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.column = column
