"""What a runner does: work that goes one piece here, one piece there, and seats at which results are taken in order.

A piece of work is a function of a module and one argument, both of which can be pickled; it answers with what is told
to whoever asked, and what is kept where it was made until a seat takes it. So what is large, or nobody's business,
goes from where it was made to where it is needed, and nowhere else.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol, TypeAlias

from attendance.errors import AttendanceError

Work: TypeAlias = Callable[[Any], tuple[Any, Any]]
"""Gives what is told, and what is kept."""
Task: TypeAlias = Hashable
"""A piece of work that was begun, or a call of a seat."""
Seat: TypeAlias = Hashable
"""An object that lives in one process somewhere."""


class RunnerError(AttendanceError):
    """A runner cannot be had, or none of its machines can be used."""


class TaskLostError(AttendanceError):
    """The process or the machine that did a piece of work, or had a seat, is gone. Begin it again."""


class NotBegunError(TaskLostError):
    """A piece of work, or a seat, was given to a machine that was gone by then."""


class KeptLostError(TaskLostError):
    """What a piece of work kept is gone with its machine; the seat that was to take it is there."""


class WorkFailedError(AttendanceError):
    """A piece of work failed in a way that nobody thought of; the message ends with what Python said."""


class Runner(Protocol):
    """Does work. Used by one thread."""

    @property
    def slots(self) -> int:
        """How many pieces of work it does at once now; whoever begins more has them wait in memory."""
        ...

    @property
    def where(self) -> str:
        """In words, e.g. "2 processes of this machine"."""
        ...

    def begin(self, work: Work, argument: Any) -> Task:
        """Begin a piece of work."""
        ...

    def sit(self, make: Callable[[Any], Any], argument: Any) -> Seat:
        """Make an object in a process of its own, or soon; what goes wrong is told by the first call."""
        ...

    def call(self, seat: Seat, method: str, *, takes: Task | None = None) -> Task:
        """Call a method of a seat's object, after those called before.

        Args:
            seat: whose.
            method: takes what a piece of work kept, or nothing; what it returns is told.
            takes: that piece, which has ended well.
        """
        ...

    def leave(self, seat: Seat) -> None:
        """Give a seat up; its object is forgotten."""
        ...

    def ended(self, timeout_s: float) -> Sequence[Task]:
        """Wait until something has ended, or for so long; what has, each once."""
        ...

    def told(self, task: Task) -> Any:
        """What a task that has ended tells; what it keeps stays until `forget`.

        Raises:
            TaskLostError: its process or machine is gone.
            AttendanceError: what the work itself raised.
            WorkFailedError: it raised something else.
        """
        ...

    def forget(self, task: Task) -> None:
        """Let go of what a task keeps."""
        ...

    def close(self) -> None:
        """End every process of it; what is at work is given up."""
        ...
