"""`attendance db backup`, `restore` and `copy`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from attendance.database.access.sign_ins import end_what_a_backup_brought_back
from attendance.database.engine import DatabaseError, current_revision, shown, upgrade
from attendance.database.opening import open_engine
from attendance.database.upkeep.backup import backup, delete_older_backups, restore
from attendance.database.upkeep.copying import copy_database
from attendance.database.upkeep.digests import digest_file_of
from attendance.database.upkeep.others import require_alone
from attendance.settings import load_settings
from operations.cli.noting import note_run
from operations.listening import programs_here

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("backup")
@click.argument("folder", type=_FOLDER, required=False)
@click.option("--keep", type=click.IntRange(min=1), help="Delete all but the newest N backups of the folder.")
def backup_command(folder: Path | None, keep: int | None) -> None:
    """Write a backup of the database into FOLDER (default: backups in the data folder), while the system runs.

    It holds names, passwords' hashes and attendance, and no encodings: those are in the store, a file to copy. Its
    digest is in a file beside it; keep both together.
    """
    settings = load_settings()
    folder = folder or settings.data.directory / "backups"
    with open_engine(settings.database_url) as engine:
        written = backup(engine, folder, datetime.now(UTC))
        note_run(engine, {"file": written.name})
    click.echo(f"{written} ({written.stat().st_size:,} bytes)")
    if keep is not None:
        for path in delete_older_backups(folder, keep=keep):
            click.echo(f"Deleted {path}")


@click.command("restore")
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Let go of the rows that the database holds.")
def restore_command(file: Path, replace: bool) -> None:
    """Put the backup FILE in the place of the database, and bring its schema up to date.

    FILE is held against its digest (FILE.sha256) first, and nothing is done while the recognition service or the
    dashboard runs. Everybody signs in again, and links that were sent before must be made anew.
    """
    settings = load_settings()
    running = [f"{program.name} at {program.address}" for program in programs_here(settings) if program.listens]
    if running:
        raise DatabaseError(f"the system is running ({', '.join(running)}): stop it first; nothing was changed")
    with open_engine(settings.database_url) as engine:
        require_alone(engine)
        if not restore(engine, file, replace=replace):
            click.echo(
                f"{file.name} has no digest beside it ({digest_file_of(file).name}): whether each byte is as it was "
                "written is not known. Backups of versions before this have none.",
                err=True,
            )
        upgrade(engine)
        end_what_a_backup_brought_back(engine)
        note_run(engine, {"file": file.name})
        click.echo(f"Restored {file}; the database is at schema {current_revision(engine)}. Everybody signs in again.")


@click.command("copy")
@click.argument("target")
def copy_command(target: str) -> None:
    """Copy every row of the configured database into the empty one at the address TARGET.

    For moving from SQLite to MariaDB or back: copy, then set ATTENDANCE_DATABASE_URL to TARGET. TARGET is, for example,
    mysql+pymysql://user:password@host/name; "-" asks for it, so that the password is in no shell's history.
    """
    if target == "-":
        target = click.prompt("Address of the target", hide_input=True)
    with open_engine(load_settings().database_url) as source, open_engine(target, name="TARGET") as empty:
        copied = copy_database(source, empty)
        note_run(source, {"to": shown(empty)})
    for table, rows in copied.items():
        click.echo(f"{table:<20} {rows:>10,}")
    click.echo(f"Copied and compared {sum(copied.values()):,} rows. Next: set ATTENDANCE_DATABASE_URL to the target.")
