"""The command `attendance` and where each of its sub-commands lives."""

import gc
import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from attendance.errors import told_in_a_sentence
from attendance.parts import Part, how_to_install
from attendance.private_files import keep_private

# Command: (module, attribute, one line of help, the part that it belongs to). The help stands here so that
# `attendance --help` imports no room.
COMMANDS: Mapping[str, tuple[str, str, str, Part]] = {
    "calibrate": ("accuracy.calibration.cli", "calibrate", "Choose the matching thresholds from the data.", "accuracy"),
    "camera": ("operations.cli.camera", "camera", "Run a camera, or register and revoke cameras.", "all"),
    "config": ("operations.cli.config", "config", "List every setting, its value and its meaning.", "all"),
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
    "recordings": (
        "operations.cli.bulk.recordings",
        "recordings",
        "Put recorded lectures into registers, in bulk.",
        "service",
    ),
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
        "Issue and revoke tokens of programs that are no cameras.",
        "database",
    ),
    "web": ("webapp.cli", "web", "Run the dashboard.", "web"),
}


_GARBAGE_AFTER = 10_000
"""New objects, less those that went, after which garbage is looked for among them."""


class LazyGroup(click.Group):
    """A group that imports the module of a sub-command when the sub-command is asked for."""

    commands_at: Mapping[str, tuple[str, str, str, Part]]

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str, str, Part]], **kwargs: Any) -> None:
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
            if ctx.resilient_parsing:  # somebody has a shell complete the line
                return None
            raise click.ClickException(
                f"`{ctx.command_path} {cmd_name}` needs the package {error.name}: {how_to_install(extra)}"
            ) from None
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The sub-commands and options that begin so, without importing any: a key press must not take a second."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name, help=self.commands_at[name][2]) for name in names] + click.Command.shell_complete(
            self, ctx, incomplete
        )

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
    # Python looks for garbage after every 700 new objects: in what a program loads there is none, and looking takes a
    # tenth of the time until a command begins.
    gc.set_threshold(_GARBAGE_AFTER)
    keep_private()
    attendance()
