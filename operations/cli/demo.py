"""`attendance demo`: the whole system on this machine, seen working."""

import signal
import sys
from pathlib import Path

import click


@click.command()
@click.option("--once", is_flag=True, help="Run one class session through, print its register and stop.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-data"),
    show_default=True,
    help="Where the demo keeps its files; made anew each time.",
)
def demo(once: bool, folder: Path) -> None:
    """Run the whole system on a small class of real faces.

    Without --once it keeps running until Ctrl-C, so that you can watch the register fill.
    """
    from operations.demo.running import run_demo  # noqa: PLC0415 - `--help` need not load everything

    # A closed terminal or a `kill` stops the demo as Ctrl-C does: its programs must not outlive it. Ctrl-C is set too,
    # since a shell starts programs in the background with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    right = run_demo(folder, once=once, tell=click.echo)
    sys.exit(0 if right else 1)
