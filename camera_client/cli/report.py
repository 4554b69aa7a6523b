"""What a run tells a person and the log: progress while it lasts, and its end."""

import asyncio
import sys

import click
import structlog

from camera_client.run import Run

_ONE_SHOT_INTERVAL_S = 5.0
_SERVICE_INTERVAL_S = 60.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reporter:
    """Tells the progress: a line every few seconds at a terminal, events in the log otherwise."""

    def __init__(self, run: Run, *, one_shot: bool, interval_s: float | None = None) -> None:
        """Choose how to tell it.

        Args:
            run: the run to tell about.
            one_shot: whether a person may be waiting for the end.
            interval_s: seconds between reports; by default fewer for a person.
        """
        self._run = run
        self._at_terminal = one_shot and sys.stderr.isatty()
        usual = _ONE_SHOT_INTERVAL_S if one_shot else _SERVICE_INTERVAL_S
        self._interval_s = usual if interval_s is None else interval_s

    async def report(self) -> None:
        """Report until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            if self._at_terminal:
                click.echo(self._run.counts.line(), err=True)
            else:
                log.info("camera_progress", dropped=self._run.waiting.dropped, **self._run.as_event())


def tell_end(run: Run, problem: str | None, *, seconds: float) -> str | None:
    """Print the summary of a run that has ended.

    Args:
        run: the run.
        problem: the sentence that already tells why it ended badly, if it did.
        seconds: how long it took.

    Returns:
        The sentence that tells why not all is well; None when all is.
    """
    counts, waiting = run.counts, run.waiting
    if waiting.captured:
        summary = counts.summary(
            captured=waiting.captured, dropped=waiting.dropped, left=waiting.depth, seconds=seconds
        )
        click.echo(summary)
    if problem is not None:
        return problem
    if run.stopping.is_set():
        return "stopped before the source ended"
    if waiting.keep_all and (missing := counts.lost + counts.given_up + waiting.depth):
        return f"{missing} of {waiting.captured} frames were not dealt with"
    if waiting.captured and not counts.answered:
        return "no frame was answered"
    return None
