"""The photos of an evaluation: who is enrolled from which, who is searched for, and who is a stranger."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from attendance.errors import AttendanceError
from attendance.tables.errors import TableError
from attendance.tables.fields import compose
from attendance.tables.reading import Column, read_table_file
from index_builder.photos.sources import Photos, find_photos, no_picture

HALVES = ("enrol", "probe")
"""The folders that are taken for what is enrolled and what is searched where nobody names others."""
ANSWERS = (
    Column("photo", "A photo that lies in no person's folder.", verbatim=True),
    Column("people", "Who is in it, with semicolons between."),
)
"""The columns of a table of answers."""


class SetError(AttendanceError):
    """A folder, or how it should be split, cannot be used; the message says why."""


class LeftOut(NamedTuple):
    """A file that gives no search, and why."""

    photo: str
    why: str


class Entry(NamedTuple):
    """One photo to be read."""

    person: str
    path: Path
    shown: str


class Scene(NamedTuple):
    """A photo of no one person's folder."""

    path: Path
    shown: str
    people: frozenset[str] | None
    """Enrolled people who are in it; None: nobody said."""


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """What lies where, not read yet."""

    together: Sequence[Entry] = ()
    """Photos that are enrolled and searched with: split later, or left out one at a time."""
    enrol: Sequence[Entry] = ()
    probe: Sequence[Entry] = ()
    strangers: Sequence[Entry] = ()
    scenes: Sequence[Scene] = ()
    left_out: Sequence[LeftOut] = field(default=())

    @property
    def count(self) -> int:
        """How many photos are to be read."""
        return len(self.files)

    @property
    def files(self) -> list[tuple[Path, str]]:
        """Every photo and the name it is shown by."""
        people = [*self.together, *self.enrol, *self.probe, *self.strangers]
        return [*((one.path, one.shown) for one in people), *((one.path, one.shown) for one in self.scenes)]


def find_set(
    folder: Path,
    *,
    halves: tuple[str, str] | None,
    strangers: Path | None = None,
    answers: Path | None = None,
    gallery: bool = False,
    share: bool = False,
) -> PhotoSet:
    """List the photos of an evaluation.

    Args:
        folder: one folder for each person, or two folders of such.
        halves: the names of the two, what is enrolled and what is searched; None: as it is found.
        strangers: a folder of people who are not enrolled: one folder for each, or photos of one each.
        answers: a table that says who is in the photos that lie in no person's folder.
        gallery: everything in `folder` is searched for; nothing is enrolled from it.
        share: photos will be split by a share.

    Raises:
        SetError: a folder is missing or holds no photos, or the table cannot be used.
        OSError: a folder cannot be read.
    """
    halves = _settle_halves(folder, halves, gallery=gallery, share=share)
    if answers is not None and halves is None and not gallery:
        raise SetError("answers are for photos that are searched: use --split ENROL/PROBE or --gallery with them")
    left_out: list[LeftOut] = []
    others = tuple(_strangers(strangers, left_out)) if strangers is not None else ()
    if halves is None and not gallery:
        together = tuple(_entries(find_photos(folder), left_out))
        _require(together, folder)
        return PhotoSet(together=together, strangers=others, left_out=left_out)
    enrol: tuple[Entry, ...] = ()
    probes = folder
    if halves is not None:
        probes = folder / halves[1]
        enrol = tuple(_entries(find_photos(folder / halves[0]), left_out, below=folder))
        _require(enrol, folder / halves[0])
    probe, scenes = _find_probes(probes, folder, answers, left_out)
    return PhotoSet(enrol=enrol, probe=probe, strangers=others, scenes=scenes, left_out=left_out)


def _settle_halves(
    folder: Path, halves: tuple[str, str] | None, *, gallery: bool, share: bool
) -> tuple[str, str] | None:
    """The two folders that were named, or that are there."""
    if halves is None and all((folder / name).is_dir() for name in HALVES):
        if gallery:
            raise SetError(f"{folder} holds {' and '.join(HALVES)}: name the one that is searched in the gallery")
        if share:
            raise SetError(f"{folder} holds {' and '.join(HALVES)}: a share is for one folder for each person")
        halves = HALVES
    for name in halves or ():
        if not (folder / name).is_dir():
            raise SetError(f"there is no folder {folder / name}")
    return halves


def _find_probes(
    probes: Path, folder: Path, answers: Path | None, left_out: list[LeftOut]
) -> tuple[tuple[Entry, ...], tuple[Scene, ...]]:
    """Photos to search with: those in people's folders, and those beside them."""
    loose = _loose(probes)
    known = read_answers(answers) if answers is not None else {}
    missing = known.keys() - {path.name for path in loose}
    if missing:
        raise SetError(f"{answers} names {min(missing)!r}, which is no photo beside the people's folders")
    scenes = tuple(Scene(path, str(path.relative_to(folder)), known.get(path.name)) for path in loose)
    passed_over = [path.name for path in loose]
    probe = tuple(_entries(find_photos(probes), left_out, below=folder, passed_over=passed_over))
    if not probe and not scenes:
        raise SetError(f"{probes} holds no photos: make one folder for each person")
    return probe, scenes


def _loose(folder: Path) -> list[Path]:
    """Photos that lie in no person's folder."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and no_picture(path) is None]


def _entries(
    photos: Photos, left_out: list[LeftOut], *, below: Path | None = None, passed_over: Sequence[str] = ()
) -> Iterator[Entry]:
    base = below or photos.folder
    prefix = photos.folder.relative_to(base)
    left_out += [
        LeftOut(str(prefix / verdict.name), verdict.detail)
        for verdict in photos.misplaced
        if verdict.name not in passed_over
    ]
    for person, paths in photos.by_student.items():
        if not paths:
            left_out.append(LeftOut(str(prefix / person), "the folder holds no photos"))
        for path in paths:
            yield Entry(person, path, str(path.relative_to(base)))


def _strangers(folder: Path, left_out: list[LeftOut]) -> Iterator[Entry]:
    """Photos of strangers. A photo that lies loose is of one who is in no other."""
    if not folder.is_dir():
        raise SetError(f"there is no folder {folder} of strangers")
    photos = find_photos(folder)
    loose = _loose(folder)
    for path in loose:
        yield Entry(f"stranger {path.name}", path, f"{folder.name}/{path.name}")
    for entry in _entries(photos, left_out, passed_over=[path.name for path in loose]):
        yield Entry(f"stranger {entry.person}", entry.path, f"{folder.name}/{entry.shown}")


def _require(entries: Sequence[Entry], folder: Path) -> None:
    if not entries:
        raise SetError(f"{folder} holds no photos in people's folders: make one folder for each person")


def read_answers(path: Path) -> Mapping[str, frozenset[str]]:
    """Read a table (CSV) with the columns photo and people, the latter names with semicolons between.

    Nobody named means that nobody enrolled is in the photo.

    Raises:
        SetError: it cannot be read, or has not these columns.
    """
    try:
        answers = {}
        for line in read_table_file(path, ANSWERS).lines():
            if line.error is not None:
                raise SetError(f"{path}, line {line.number}: {line.error}")
            people = (compose(person.strip()) for person in line.values["people"].split(";"))
            answers[line.values["photo"]] = frozenset(person for person in people if person)
        return answers
    except TableError as error:
        raise SetError(f"{path} is no table with the columns photo and people. {error}") from None
