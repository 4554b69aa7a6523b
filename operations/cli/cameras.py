"""`attendance camera add|list|mark|move|remove|revoke|rotate`: the cameras, where they stand, and their tokens."""

import click
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import AuditAction, Camera, Room
from attendance.database.opening import open_session
from attendance.settings import load_settings
from attendance.tables.fields import CAMERA_NAME, ROOM_NAME
from operations.cli.arguments import checked
from operations.cli.noting import noted


@click.command()
@click.argument("name")
@click.option("--room", required=True, help="The room in which the camera stands.")
@click.option("--create-room", is_flag=True, help="Add the room if it is not there yet.")
@click.option(
    "--smallest-face",
    type=click.IntRange(8, 10_000),
    help="Width in pixels of the smallest face wanted, which frames are scaled by. Default: the service's setting.",
)
@click.option(
    "--upsample",
    type=click.IntRange(0, 3),
    help="Times frames are doubled to find small faces, whatever the smallest face wanted is.",
)
@click.option("--extra", is_flag=True, help="The room counts as watched without this camera.")
def add(
    *, name: str, room: str, create_room: bool, smallest_face: int | None, upsample: int | None, extra: bool
) -> None:
    """Register the camera NAME and print its token, once."""
    name = checked(CAMERA_NAME, "The camera's name", name)
    token = new_token("cam")
    with open_session(load_settings().database_url) as db:
        if db.scalar(sa.select(Camera).where(Camera.name == name)):
            raise click.ClickException(
                f"There is a camera {name!r} already; `attendance camera rotate` gives it a new token."
            )
        found = _room(db, room, create=create_room)
        camera = Camera(name=name, room_id=found.id, token_hash=hash_token(token), extra=extra)
        camera.smallest_face, camera.upsample = smallest_face, upsample
        db.add(camera)
        noted(db, AuditAction.CAMERA_ADDED, subject=name)
        noted(db, AuditAction.TOKEN_MADE, subject=name)
    _show_token(name, token)


@click.command("list")
def list_cameras() -> None:
    """List cameras, their rooms and when they were last seen (UTC)."""
    with open_session(load_settings().database_url) as db:
        cameras = db.scalars(sa.select(Camera).order_by(Camera.name)).all()
        if not cameras:
            click.echo("No cameras yet: `attendance camera add NAME --room ROOM` registers one.")
        for camera in cameras:
            room = camera.room.name if camera.room else "in no room"
            seen = f"{camera.last_seen_at:%Y-%m-%d %H:%M:%S}" if camera.last_seen_at else "never"
            notes = [
                *(["extra"] if camera.extra else []),
                *([] if camera.token_hash else ["revoked"]),
                *([f"blind since {camera.blind_since:%Y-%m-%d %H:%M:%S}"] if camera.blind_since else []),
            ]
            said = f"  ({', '.join(notes)})" if notes else ""
            click.echo(f"{camera.name:<30} {room:<30} last seen {seen}{said}")


@click.command()
@click.argument("name")
@click.option("--room", required=True, help="The room in which the camera stands now.")
@click.option("--create-room", is_flag=True, help="Add the room if it is not there yet.")
def move(name: str, room: str, create_room: bool) -> None:
    """Put the camera NAME in another room."""
    with open_session(load_settings().database_url) as db:
        _camera(db, name).room_id = _room(db, room, create=create_room).id
        noted(db, AuditAction.CAMERA_CHANGED, subject=name, details={"fields": "room_id"})
    click.echo(f"The camera {name} stands in {room} now.")


@click.command()
@click.argument("name")
@click.argument("needed", type=click.Choice(["extra", "needed"]))
def mark(name: str, needed: str) -> None:
    """Mark the camera NAME as extra, or as needed: whether its room counts as watched without it."""
    with open_session(load_settings().database_url) as db:
        _camera(db, name).extra = needed == "extra"
        noted(db, AuditAction.CAMERA_CHANGED, subject=name, details={"fields": "extra"})
    click.echo(f"The camera {name} is {needed} now.")


@click.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove the camera NAME; registers keep what it saw."""
    with open_session(load_settings().database_url) as db:
        db.delete(_camera(db, name))
        noted(db, AuditAction.CAMERA_DELETED, subject=name)
    click.echo(f"The camera {name} is removed.")


@click.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Withdraw the token of the camera NAME; it may send nothing until it gets a new one."""
    with open_session(load_settings().database_url) as db:
        _camera(db, name).token_hash = None
        noted(db, AuditAction.TOKEN_ENDED, subject=name)
    click.echo(f"The camera {name} has no token any more; `attendance camera rotate` gives it a new one.")


@click.command()
@click.argument("name")
def rotate(name: str) -> None:
    """Replace the token of the camera NAME and print the new one, once."""
    token = new_token("cam")
    with open_session(load_settings().database_url) as db:
        _camera(db, name).token_hash = hash_token(token)
        noted(db, AuditAction.TOKEN_MADE, subject=name)
    _show_token(name, token)


def _show_token(name: str, token: str) -> None:
    # The token alone goes to standard output, so that it can be piped into a file.
    click.echo(f"Token of the camera {name}; it is not shown again:", err=True)
    click.echo(token)


def _camera(db: Session, name: str) -> Camera:
    camera = db.scalar(sa.select(Camera).where(Camera.name == name))
    if camera is None:
        raise click.ClickException(f"There is no camera {name!r}; `attendance camera list` shows them.")
    return camera


def _room(db: Session, name: str, *, create: bool) -> Room:
    room = db.scalar(sa.select(Room).where(Room.name.in_((name, ROOM_NAME.clean(name)))))
    if room is not None:
        return room
    if create:
        room = Room(name=checked(ROOM_NAME, "The room's name", name))
        db.add(room)
        noted(db, AuditAction.ROOM_ADDED, subject=room.name)
        db.flush()
        return room
    known = db.scalars(sa.select(Room.name).order_by(Room.name).limit(10)).all()
    rooms = f"known rooms: {', '.join(known)}" if known else "there are no rooms yet"
    raise click.ClickException(f"There is no room {name!r} ({rooms}); add --create-room to make it.")
