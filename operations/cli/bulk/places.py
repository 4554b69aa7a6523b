"""`--on`: where a long command runs, held against what there is before anything else is done."""

from contextlib import closing

import click

from operations.runners.choosing import runner_of
from operations.runners.interface import RunnerError
from operations.runners.ray_cluster import Admission


class _IsACluster(Exception):  # noqa: N818 - no error
    """Its machines would be asked next."""


def place_to_run(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    """The value as it was given: what reads it later is asked now, and neither begins a process nor a connection.

    Raises:
        click.BadParameter: it names no place to run.
    """
    if text is None:
        return None
    try:
        with closing(runner_of(text, _admission)):  # a local one begins its processes when there is work for them
            return text
    except _IsACluster:
        return text
    except RunnerError as error:
        raise click.BadParameter(str(error)) from None


def _admission() -> Admission:
    raise _IsACluster
