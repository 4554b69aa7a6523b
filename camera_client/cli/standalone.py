"""The program `attendance-camera`: a camera on a machine that has nothing else of the system, not even Python.

The first start asks for what it needs and keeps it in a file; later ones, and the service of the operating system,
read that file.
"""

import os
import sys
from pathlib import Path
from typing import Any

import click

from attendance.errors import told_in_a_sentence
from attendance.private_files import keep_private
from attendance.settings.files import FILE_VARIABLE
from camera_client.cli.running import run
from camera_client.cli.service import install_service
from camera_client.cli.setup_file import SetupError, ask, default_file, write_setup

_OWN = [
    click.Option(
        ["--config"],
        type=click.Path(path_type=Path, dir_okay=False),
        help="The file that keeps server, name, token and source. Default: in this account's folder of settings.",
    ),
    click.Option(["--setup"], is_flag=True, help="Ask for everything again, then end."),
    click.Option(
        ["--install-service"],
        is_flag=True,
        help="Have the operating system start it, now and at every start, then end.",
    ),
    click.Option(
        ["--service-root"],
        type=click.Path(path_type=Path, file_okay=False),
        help="With --install-service: write into this folder, the root of another system, and start nothing.",
    ),
]


def _start(
    *, config: Path | None, setup: bool, install_service: bool, service_root: Path | None, **of_run: Any
) -> None:
    """Stream a camera's frames to the recognition service.

    The first start asks for the service's address, the camera's name and token, and what to film.
    """
    file = (config or default_file()).absolute()
    if setup or not (file.exists() or of_run.get("name") or _set_by_environment()):
        _set_up(file)
    if install_service:
        for line in _install(file, service_root):
            click.echo(line)
    elif not setup:
        if file.exists():
            os.environ.setdefault(FILE_VARIABLE, str(file))
        click.get_current_context().invoke(run, **of_run)


def _install(file: Path, root: Path | None) -> list[str]:
    program = Path(sys.executable if getattr(sys, "frozen", False) else sys.argv[0]).absolute()
    return install_service(program, file, root=root)


def _set_by_environment() -> bool:
    return FILE_VARIABLE in os.environ or "ATTENDANCE_CAMERA_NAME" in os.environ


def _set_up(file: Path) -> None:
    if not sys.stdin.isatty():
        raise SetupError(f"there is no {file} yet, and nobody to ask: start it once in a terminal, or write the file")
    write_setup(file, ask())
    click.echo(f"Kept in {file}, which holds the token: nobody else may read it.")


program = click.Command(
    "attendance-camera",
    params=[*_OWN, *run.params],
    callback=_start,
    help=_start.__doc__,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the program."""
    keep_private()
    with told_in_a_sentence():
        program()


if __name__ == "__main__":
    main()
