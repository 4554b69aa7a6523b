"""Reading photos with a bar on a terminal, and a line now and then elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from accuracy.evaluation.embedding_model import EmbeddingModel
from accuracy.evaluation.photo_reading import OneFace, PhotoReader, Reading
from attendance.face_engine.interface import FaceEngine

SAID_EVERY = 500
"""Photos, where there is no terminal for a bar."""


def read_with_progress(
    files: Sequence[tuple[Path, str]],
    engine: FaceEngine,
    *,
    max_pixels: int,
    embedding: EmbeddingModel | None = None,
    one_face: OneFace | None = None,
    what: str = "Encoding photos",
) -> Reading:
    """Read photos; see `PhotoReader`.

    Args:
        files: photos, each with the name it is shown by.
        engine: finds the faces, and encodes them unless a model is given.
        max_pixels: the largest image that the engine takes.
        embedding: encodes in the engine's place.
        one_face: told of each photo of exactly one face.
        what: stands before the bar.
    """
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(files))
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            progress.advance(task, count)
            if not console.is_terminal and done // SAID_EVERY < (done + count) // SAID_EVERY:
                console.print(f"{done + count:,} of {len(files):,} photos", highlight=False)
            done += count

        reader = PhotoReader(engine, max_pixels=max_pixels, embedding=embedding, advance=advance, one_face=one_face)
        return reader.read(files)
