"""Makes a list for `attendance recordings run` out of a folder of a lecture-capture system.

    python examples/recordings/capture_list.py opencast /srv/opencast/archive > list.csv
    python examples/recordings/capture_list.py panopto /srv/panopto/export > list.csv
    attendance recordings run list.csv --dry-run

The list holds a line for each recording: file, room, start. Paths are whole. Look at it before you run it: only whoever
knows the rooms can say that a name there is one here; `--rooms FILE`, a table with the columns `theirs` and `room`,
says which.

**Opencast** (docs.opencast.org, "Inbox", "How to Prepare a Media Package"): each media package is a folder with a
`manifest.xml` (in published ones `index.xml`), which names tracks with a flavour and the catalogue
`dublincore/episode`. The room is `dcterms:spatial` of that catalogue, the name of the capture agent; the start is
`start=` of its `dcterms:temporal` or, without it, the attribute `start` of the media package, which is UTC.

**Panopto** (Universal Capture Specification, versions 1 and 2): each session is a folder with an XML file whose root is
`Session`: `Date`, and `Videos/Video` with `Start` (an ISO 8601 duration from there), `File` and `Type`. There is no
room in it; the name of the folder above the session's is taken, as exports are sorted by remote recorder.
"""

import argparse
import csv
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

_TERMS = "{http://purl.org/dc/terms/}"
_LARGEST = 4_000_000
_DURATION = re.compile(
    r"(?P<sign>-?)P(?:(?P<days>\d+)D)?T?(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?"
)


class Recording(NamedTuple):
    """A line of the list."""

    file: Path
    room: str
    start: datetime


def opencast(folder: Path, flavour: str) -> Iterator[Recording | str]:
    """The recordings of media packages, and what is wrong with others.

    Args:
        folder: of the packages.
        flavour: of the tracks that show the students, e.g. "presenter/source".
    """
    for manifest in sorted(path for name in ("manifest.xml", "index.xml") for path in folder.rglob(name)):
        package = _read(manifest)
        if package is None or _plain(package.tag) != "mediapackage":
            yield f"{manifest}: no media package"
            continue
        catalogue = _element_file(package, manifest, "catalog", "dublincore/episode")
        episode = None if catalogue is None else _read(catalogue)
        room = "" if episode is None else (episode.findtext(f"{_TERMS}spatial") or "").strip()
        temporal = "" if episode is None else episode.findtext(f"{_TERMS}temporal") or ""
        said = re.search(r"start=([^;]+)", temporal)
        start = _moment((said[1] if said else package.get("start") or "").strip())
        track = _element_file(package, manifest, "track", flavour)
        if track is None or start is None:
            yield f"{manifest}: {f'no track {flavour}' if track is None else 'no start'}"
            continue
        yield Recording(track, room or manifest.parent.parent.name, start)


def panopto(folder: Path, kind: str) -> Iterator[Recording | str]:
    """The recordings of sessions, and what is wrong with others.

    Args:
        folder: of the sessions.
        kind: `Type` of the videos that show the students: Primary or Secondary.
    """
    for path in sorted(folder.rglob("*.xml")):
        session = _read(path)
        if session is None or _plain(session.tag) not in ("Session", "PanoptoSession"):
            yield f"{path}: no session of the Universal Capture Specification"
            continue
        begins = _moment(_text(session, "Date"))
        videos = [one for one in session.iter() if _plain(one.tag) == "Video" and _text(one, "Type") in ("", kind)]
        if begins is None or not videos:
            yield f"{path}: {'no date with an offset' if begins is None else f'no video of type {kind}'}"
            continue
        for video in videos:
            file = path.parent / (_text(video, "File") or _text(video, "Filename"))
            offset = _duration(_text(video, "Start"))
            if not file.is_file() or offset is None:
                yield f"{path}: {f'no file {file.name}' if offset is not None else 'its start is no duration'}"
                continue
            yield Recording(file, path.parent.parent.name, begins + offset)


def main() -> int:
    """Write the list; what is wrong goes to standard error, and makes the exit status 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("system", choices=["opencast", "panopto"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--flavour", help="Opencast: of the tracks (presenter/source). Panopto: the type (Primary).")
    parser.add_argument("--rooms", type=Path, help="A table with the columns theirs and room.")
    given = parser.parse_args()
    rooms = {}
    if given.rooms is not None:
        with given.rooms.open(encoding="utf-8-sig", newline="") as file:
            rooms = {row["theirs"]: row["room"] for row in csv.DictReader(file)}
    if given.system == "opencast":
        found = list(opencast(given.folder, given.flavour or "presenter/source"))
    else:
        found = list(panopto(given.folder, given.flavour or "Primary"))
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "room", "start"])
    for one in found:
        if isinstance(one, Recording):
            writer.writerow([one.file.absolute(), rooms.get(one.room, one.room), one.start.astimezone(UTC).isoformat()])
        else:
            sys.stderr.write(f"{one}\n")
    return 1 if any(isinstance(one, str) for one in found) else 0


def _read(path: Path) -> ElementTree.Element | None:
    """The root of an XML file; None where it is none, or larger than any of these."""
    try:
        if path.stat().st_size > _LARGEST:
            return None
        return ElementTree.fromstring(path.read_bytes())  # noqa: S314 - expat bounds what entities grow to
    except (OSError, ElementTree.ParseError):
        return None


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _element_file(package: ElementTree.Element, manifest: Path, kind: str, flavour: str) -> Path | None:
    """The file of the first element of a kind and flavour; its address ends with the name that it has in the folder."""
    for element in package.iter():
        if _plain(element.tag) == kind and element.get("type") == flavour:
            address = _text(element, "url")
            parts = address.split("/")
            for length in (1, 2, 3):
                path = manifest.parent.joinpath(*parts[-length:])
                if address and path.is_file():
                    return path
    return None


def _text(element: ElementTree.Element, name: str) -> str:
    return next(((one.text or "").strip() for one in element.iter() if _plain(one.tag) == name), "")


def _moment(text: str) -> datetime | None:
    """A time with an offset; none is guessed."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _duration(text: str) -> timedelta | None:
    found = _DURATION.fullmatch(text or "PT0S")
    if found is None:
        return None
    parts = {name: float(value) for name, value in found.groupdict().items() if name != "sign" and value}
    return -timedelta(**parts) if found["sign"] else timedelta(**parts)


if __name__ == "__main__":
    sys.exit(main())
