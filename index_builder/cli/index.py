"""`attendance index`: building and inspecting the index, and stores from elsewhere."""

from pathlib import Path

import click

from attendance.gallery.format import load_gallery, read_manifest
from attendance.settings import load_settings
from attendance.settings.families import family_of
from index_builder.cli.enrol import publish_index
from index_builder.cli.stores import export_pickle, import_store

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def index() -> None:
    """Build and inspect the index that the service searches."""


@index.command()
@click.option("--store", type=_FILE, help="The store to read. Default: the configured one.")
@click.option("--output", type=_FOLDER, help="The folder of indexes. Default: the configured one.")
@click.option("--other-family", is_flag=True, help="Publish also where the index in use is of another family.")
def build(store: Path | None, output: Path | None, *, other_family: bool) -> None:
    """Read the store and publish an index of it; a running service picks it up.

    A service takes up indexes of the family of models with which it was started. With --other-family, start it again.
    """
    settings = load_settings()
    publish_index(store or settings.store_path, settings, output, other_family=other_family)


@index.command()
@click.option("--output", type=_FOLDER, help="The folder of indexes. Default: the configured one.")
def info(output: Path | None) -> None:
    """Check the current index, every file of it, and say what it holds."""
    output = output or load_settings().index_path
    gallery = load_gallery(output)
    manifest = read_manifest(output)
    rows = {
        "Version": gallery.version,
        "Created": manifest.created_at if manifest is not None else "",
        "Model": f"{gallery.model}, {gallery.encoding_size} numbers an encoding",
        "Family": family_of(gallery.model).value,
        "Students": str(len(gallery.identities)),
        "Encodings": str(gallery.encodings),
        "Search": manifest.how_searched if manifest is not None else "",
        "Folder": str(output),
    }
    for title, value in rows.items():
        click.echo(f"{title + ':':<11} {value}")


index.add_command(import_store)
index.add_command(export_pickle)
