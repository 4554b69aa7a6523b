"""What commands that run for hours share: how they are stopped, and how a log is told how far they are."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import click
from rich.console import Console

INTERRUPTED = 130
"""The exit status of a run that was stopped, as of a program that Ctrl-C ended."""
_TELL_S = 30.0


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Have SIGTERM end a run as Ctrl-C does, and say that it can go on, whatever it was at."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        tell_stopped()
        sys.exit(INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def tell_stopped() -> None:
    """Say that a run that was stopped can go on."""
    click.echo("Stopped. What is done is kept; give the same command to go on.", err=True)


class LogOfPace:
    """Says every half minute how far a run is, where no terminal shows it."""

    def __init__(self, console: Console) -> None:
        """Begin now."""
        self._console = console
        self._began = self._told_at = time.monotonic()

    @property
    def passed_s(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def left(self, done: float, passed_over: float = 0.0) -> str:
        """When it may end, in words.

        Args:
            done: which part is done, from 0 to 1.
            passed_over: which part of that took no time, as an earlier run had done it.
        """
        worked = done - passed_over
        if worked <= 0.001:
            return "too early to say how long it takes"
        return f"about {timedelta(seconds=round(self.passed_s * (1 - done) / worked))} left"

    def tell(self, words: Callable[[], str]) -> None:
        """Say it, if it is time to."""
        if not self._console.is_terminal and time.monotonic() - self._told_at >= _TELL_S:
            self._told_at = time.monotonic()
            self._console.print(words())
