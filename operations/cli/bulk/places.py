"""`--on`: where a long command runs, looked at before anything else is done."""

import click

from operations.runners.choosing import require_place
from operations.runners.interface import RunnerError


def place_to_run(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """The value as it was given; no process and no connection is begun.

    Raises:
        click.BadParameter: it names no place to run.
    """
    try:
        if text is not None:
            require_place(text)
    except RunnerError as error:
        raise click.BadParameter(str(error)) from None
    return text
