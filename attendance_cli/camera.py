"""`attendance camera`: running one belongs to the camera client, registering one to the database."""

import click

from attendance_cli.main import LazyGroup

_COMMANDS = {
    "add": ("database.camera_cli", "add", "Register a camera and print its token once.", "database"),
    "list": (
        "database.camera_cli",
        "list_cameras",
        "List cameras, their rooms and when they were last seen.",
        "database",
    ),
    "move": ("database.camera_cli", "move", "Put a camera in another room.", "database"),
    "revoke": ("database.camera_cli", "revoke", "Withdraw a camera's token.", "database"),
    "rotate": ("database.camera_cli", "rotate", "Replace a camera's token and print the new one once.", "database"),
    "run": ("camera_client.cli", "run", "Stream frames to the recognition service.", "camera"),
}


@click.group(cls=LazyGroup, commands_at=_COMMANDS)
def camera() -> None:
    """Run a camera, or register and revoke cameras."""
