"""`attendance camera`: running one belongs to the camera client, registering one to the database."""

from collections.abc import Mapping

import click

from attendance.parts import Part
from operations.cli.main import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str, str, Part]] = {
    "add": ("operations.cli.cameras", "add", "Register a camera and print its token once.", "database"),
    "list": (
        "operations.cli.cameras",
        "list_cameras",
        "List cameras, their rooms and when they were last seen.",
        "database",
    ),
    "mark": ("operations.cli.cameras", "mark", "Say whether a room counts as watched without a camera.", "database"),
    "move": ("operations.cli.cameras", "move", "Put a camera in another room.", "database"),
    "remove": ("operations.cli.cameras", "remove", "Remove a camera; registers keep what it saw.", "database"),
    "revoke": ("operations.cli.cameras", "revoke", "Withdraw a camera's token.", "database"),
    "rotate": ("operations.cli.cameras", "rotate", "Replace a camera's token and print the new one once.", "database"),
    "run": ("camera_client.cli.running", "run", "Stream frames to the recognition service.", "camera"),
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def camera() -> None:
    """Run a camera, or register and revoke cameras."""
