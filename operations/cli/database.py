"""`attendance db`: making the tables, bringing them up to date, and keeping copies."""

import click

from attendance.database.engine import current_revision, downgrade, losses_of_downgrade, newest_revision, upgrade
from attendance.database.opening import open_engine
from attendance.settings import load_settings
from operations.cli.backup import backup_command, copy_command, restore_command
from operations.cli.noting import note_run


@click.group()
def db() -> None:
    """Create, upgrade, back up and move the database."""


@db.command("upgrade")
def upgrade_command() -> None:
    """Create the tables, or bring them to what this version needs; rows stay."""
    with open_engine(load_settings().database_url) as engine:
        before = current_revision(engine)
        upgrade(engine)
        after = current_revision(engine)
        if before not in (None, after):
            note_run(engine, {"from": before, "to": after or "-"})
    if before == after:
        click.echo(f"The database is up to date (schema {after}).")
    else:
        click.echo(f"The database is now at schema {after} (before: {before or 'no tables'}).")


@db.command("downgrade")
@click.argument("revision")
@click.option("--lossy", is_flag=True, help="Go back although rows are lost; they are named first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def downgrade_command(revision: str, *, lossy: bool, yes: bool) -> None:
    """Take the tables back to REVISION ("base" removes all of them).

    First it says what the older tables have no place for, and does nothing then without --lossy.
    """
    with open_engine(load_settings().database_url) as engine:
        losses = losses_of_downgrade(engine, revision)
        for loss in losses:
            click.echo(f"Would be lost: {loss}.")
        if losses and not lossy:
            raise click.ClickException("Nothing was done. With --lossy the tables go back and this is lost.")
        if not yes:
            click.confirm("This may remove tables and columns with what is in them. Have you a backup?", abort=True)
        downgrade(engine, revision, lossy=lossy)
        note_run(engine, {"to": revision})
        click.echo(f"The database is now at schema {current_revision(engine) or 'base (no tables)'}.")


@db.command("current")
def current_command() -> None:
    """Show the schema of the database and the one that this version needs."""
    with open_engine(load_settings().database_url) as engine:
        current = current_revision(engine)
    newest = newest_revision()
    click.echo(f"database: {current or 'no tables'}\nneeded:   {newest}")
    if current != newest:
        click.echo("Run `attendance db upgrade`.")


for _command in (backup_command, restore_command, copy_command):
    db.add_command(_command)
