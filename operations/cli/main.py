"""The command `attendance` and where each of its sub-commands lives."""

import importlib
from collections.abc import Mapping
from typing import Any

import click

from attendance.errors import told_in_a_sentence
from attendance.private_files import keep_private

# Command: (module, attribute, one line of help, the extra that brings its packages). The help stands here so that
# `attendance --help` imports no room.
COMMANDS: Mapping[str, tuple[str, str, str, str]] = {
    "calibrate": ("accuracy.calibration.cli", "calibrate", "Choose the matching thresholds from the data.", "accuracy"),
    "camera": ("operations.cli.camera", "camera", "Run a camera, or register and revoke cameras.", ""),
    "config": ("operations.cli.config", "config", "List every setting, its value and its meaning.", ""),
    "db": ("operations.cli.database", "db", "Create, upgrade, back up and move the database.", "database"),
    "demo": ("operations.cli.demo", "demo", "Run the whole system on a small class of real faces.", "all"),
    "doctor": ("operations.cli.upkeep", "doctor", "Examine the installation and say what to do.", "service"),
    "engine": ("operations.cli.engine", "engine", "Show what the face engine runs on.", "service"),
    "enrol": ("index_builder.cli.enrol", "enrol", "Make or extend the store of encodings from photos.", "service"),
    "evaluate": (
        "accuracy.evaluation.cli",
        "evaluate",
        "Measure identification on photos of known people.",
        "accuracy",
    ),
    "gallery": ("operations.cli.gallery", "gallery", "Erase students; do what the dashboard asks for.", "service"),
    "import": ("operations.cli.imports", "import_files", "Import CSV files, as the dashboard does.", "database"),
    "index": ("index_builder.cli.index", "index", "Build and inspect the index that the service searches.", "service"),
    "lecturer": (
        "operations.cli.people",
        "lecturer",
        "Add lecturers; passwords, and links to set one.",
        "database",
    ),
    "models": ("operations.cli.models", "models", "Fetch the face models, and list them.", "service"),
    "purge": ("operations.cli.upkeep", "purge", "Delete what has been kept long enough.", "service"),
    "register": (
        "operations.cli.register",
        "register",
        "List and take back absences of sessions that were entered late.",
        "database",
    ),
    "serve": ("recognition_service.cli", "serve", "Run the recognition service.", "service"),
    "student": (
        "operations.cli.students",
        "student",
        "A student's address, consent so far, a link to the own page; deletion.",
        "service",
    ),
    "tls": ("operations.cli.certificates", "tls", "Make certificates for a trial.", "service"),
    "token": (
        "operations.cli.tokens",
        "token",
        "Issue and revoke tokens for enrolment tools and monitoring.",
        "database",
    ),
    "web": ("webapp.cli", "web", "Run the dashboard.", "web"),
}


class LazyGroup(click.Group):
    """A group that imports the module of a sub-command when the sub-command is asked for."""

    commands_at: Mapping[str, tuple[str, str, str, str]]

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, sorted."""
        return sorted(self.commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The sub-command, imported now."""
        if cmd_name not in self.commands_at:
            return None
        module, attribute, _, extra = self.commands_at[cmd_name]
        try:
            command: click.Command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as error:
            if error.name is None or error.name.split(".")[0] == module.split(".")[0]:
                raise
            raise click.ClickException(
                f"`attendance {cmd_name}` needs the package {error.name}, which is not installed here: "
                f"pip install 'class-attendance[{extra or 'all'}]'"
            ) from None
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the sub-commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.commands_at[name][2]) for name in self.list_commands(ctx)])


class AllCommands(LazyGroup):
    """The group of all commands: whichever of them meets an error of ours, it is told here."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command."""
        with told_in_a_sentence():
            return super().invoke(ctx)


@click.group(cls=AllCommands, commands_at=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="class-attendance")
def attendance() -> None:
    """Class attendance from lecture-room cameras.

    Settings come from environment variables and an optional file; `attendance config` lists them.
    """


def main() -> None:
    """Run the command."""
    keep_private()
    attendance()
