"""The root of every error of the product, and how a command tells one.

The message of each is a sentence for a person: what was wrong, with what, and what to do. None holds a password, a
token or an encoding. An error that has no place in the tree is a fault of the product: it shows as a traceback.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, NoReturn


class AttendanceError(Exception):
    """The root of every error of the product; the message is a sentence for a person."""

    exit_status: ClassVar[int] = 1
    """With which a command ends."""

    def for_command(self) -> str:
        """What a command prints after "Error: "."""
        return str(self)


@contextmanager
def told_in_a_sentence() -> Iterator[None]:
    """End the program with one sentence on standard error, and no traceback, where the block meets an error of ours.

    So it does for a file or folder that the operating system refuses. Everything else goes its own way. This is the
    wrapper of all commands; none has one of its own.
    """
    try:
        yield
    except AttendanceError as error:
        _end(error.for_command(), error.exit_status)
    except OSError as error:
        if error.filename is None:
            raise
        _end(f"cannot read or write {error.filename}: {error.strerror}", 1)


def _end(sentence: str, status: int) -> NoReturn:
    sys.stderr.write(f"Error: {sentence}\n")
    sys.exit(status)
