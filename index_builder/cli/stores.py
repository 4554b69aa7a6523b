"""`attendance index import` and `export-pickle`: stores from face_recognition users, and back to them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from attendance.database.audit.noting import note_command
from attendance.database.engine import DatabaseError
from attendance.gallery.files import replace_durably
from attendance.gallery.pickling import pickled
from attendance.gallery.store import DEFAULT_MODEL, read_store
from attendance.models_in_use import require_family
from attendance.reports.names import printable
from attendance.settings import load_settings
from attendance.tables.fields import index_number_rule
from index_builder.cli.enrol import NOT_KNOWN, count_of
from index_builder.cli.newcomers import left_out_of, new_people_options
from index_builder.consent import ClaimedConsents, doubtful, note_gallery, open_register
from index_builder.importing.pickles import merge_import, read_import

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--store", type=_FILE, help="The store to extend. Default: the configured one.")
@click.option(
    "--consent", metavar="MEANS", help='Record that every student in FILE consented, and how, e.g. "signed form 2026".'
)
@new_people_options
def import_store(file: Path, store: Path | None, consent: str | None, new: str, *, dry_run: bool) -> None:
    """Put the encodings of FILE, a pickle of face_recognition encodings, into the store.

    FILE is read without running any code of it. Its names must be index numbers. Students who are in the store already
    get the encodings of FILE in place of their own. Students without recorded consent are left out. People whom the
    database does not know are listed and asked about. The exit status is 1 if anybody was left out.
    """
    settings = load_settings()
    store = store or settings.store_path
    incoming = read_import(file, now=datetime.now(UTC), rule=index_number_rule(settings.institution.index_pattern))
    require_family(settings, incoming.store.model, file, store=store)
    numbers = settings.matching.numbers_of(incoming.store.model)
    with open_register(settings.database_url) as sessions:
        for question in doubtful(sessions, incoming.store.encodings):
            click.echo(f"Please check: {question}", err=True)
        consents = ClaimedConsents(sessions, {}, means=consent)
        unknown = left_out_of(consents.new(list(incoming.store.encodings)), new, dry_run=dry_run)
        refused = {**consents.look_at(list(incoming.store.encodings)), **dict.fromkeys(unknown, NOT_KNOWN)}
        imported = merge_import(
            store, incoming, refused=refused, admit=consents.admit, numbers=numbers, dry_run=dry_run
        )
        if not dry_run:
            note_gallery(sessions, imported.saved, now=datetime.now(UTC))
            # Not the file's name, which a person gave it and which may be a student's.
            counts = {"students": len(imported.saved), "encodings": sum(imported.saved.values())}
            note_command(sessions, "attendance index import", counts)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    left_out = {**incoming.unusable, **imported.refused}
    for name, why in left_out.items():
        console.print(f"left out  {printable(name)}: {why}")
    for warning in imported.warnings:
        console.print(f"doubtful  {warning}")
    click.echo(
        f"{count_of(len(imported.saved), 'student')} imported with "
        f"{count_of(sum(imported.saved.values()), 'encoding')}, {count_of(len(left_out), 'student')} left out. "
        f"Store: {store}"
    )
    if dry_run:
        click.echo("A dry run: nothing was written.")
    elif imported.saved:
        click.echo("Next: attendance index build")
    if left_out:
        raise SystemExit(1)


@click.command("export-pickle")
@click.argument("file", type=_FILE)
@click.option("--store", type=_FILE, help="The store to read. Default: the configured one.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def export_pickle(file: Path, store: Path | None, *, force: bool) -> None:
    """Write the store's encodings to FILE as face_recognition users have them.

    FILE is a pickle of {"encodings": [...], "names": [...]}, for this account only: encodings are biometric data.
    Encodings that are set aside are left out.
    """
    settings = load_settings()
    store = store or settings.store_path
    if file.exists() and not force:
        raise click.ClickException(f"{file} is there already; name another file, or use --force")
    held = read_store(store)
    in_use = held.in_use
    names = [name for name, rows in in_use.items() for _ in rows]
    content: dict[str, Any] = {"encodings": [row.copy() for rows in in_use.values() for row in rows], "names": names}
    if held.model != DEFAULT_MODEL:
        content["model"] = held.model  # one that names none is dlib's
    replace_durably(file.absolute(), pickled(content))
    counts = {"students": len(in_use), "encodings": len(names)}
    try:
        with open_register(settings.database_url) as sessions:
            note_command(sessions, "attendance index export-pickle", counts)
    except DatabaseError as error:
        click.echo(f"Not noted in the audit log: {error.__cause__ or error}", err=True)
    click.echo(
        f"Wrote {count_of(len(names), 'encoding')} of {count_of(len(in_use), 'student')} to {file}. "
        "It holds biometric data; only you can read it."
    )
