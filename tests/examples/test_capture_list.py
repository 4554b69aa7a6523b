"""Folders as Opencast and Panopto lay them out become lists that the command understands."""

import csv
import runpy
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from attendance.tables.reading import read_table_file
from operations.recordings.videos import FILE, ROOM, START

SCRIPT = Path(__file__).parents[2] / "examples" / "recordings" / "capture_list.py"
PACKAGE = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<mediapackage xmlns="http://mediapackage.opencastproject.org" id="{id}" start="2025-03-03T09:00:00Z" duration="5400000">
  <title>Physics I</title>
  <media>
    <track id="track-2" type="presentation/source"><mimetype>video/x-matroska</mimetype><url>screen.mkv</url></track>
    <track id="track-1" type="presenter/source">
      <mimetype>video/x-matroska</mimetype><url>http://localhost:8080/files/mediapackage/{id}/track-1/room.mkv</url>
    </track>
  </media>
  <metadata>
    <catalog id="catalog-1" type="dublincore/episode"><mimetype>text/xml</mimetype><url>episode.xml</url></catalog>
  </metadata>
</mediapackage>
"""
EPISODE = """<?xml version="1.0" encoding="UTF-8"?>
<dublincore xmlns="http://www.opencastproject.org/xsd/1.0/dublincore/" xmlns:dcterms="http://purl.org/dc/terms/">
  <dcterms:title>Physics I</dcterms:title>
  {temporal}
  <dcterms:spatial>agent-hall-a</dcterms:spatial>
</dublincore>
"""
TEMPORAL = "<dcterms:temporal>start=2025-03-03T09:05:00Z; end=2025-03-03T10:30:00Z; scheme=W3C-DTF;</dcterms:temporal>"
SESSION = """<?xml version="1.0" encoding="utf-8"?>
<Session xmlns="http://tempuri.org/UniversalCaptureSpecification/v1">
  <Title>Physics I</Title>
  <Description />
  <Date>{date}</Date>
  <Videos>
    <Video><Start>PT0S</Start><File>screen.mp4</File><Type>Secondary</Type></Video>
    <Video><Start>PT1M2.5S</Start><File>room.mp4</File><Type>Primary</Type></Video>
  </Videos>
</Session>
"""


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[list[str]], str]:
    """The script's status, the lines of its list, and what it complains of."""
    before = sys.argv
    sys.argv = [str(SCRIPT), *words]
    try:
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
    finally:
        sys.argv = before
    told = capsys.readouterr()
    return int(ended.value.code or 0), list(csv.reader(told.out.splitlines())), told.err


@pytest.mark.parametrize(("temporal", "start"), [(TEMPORAL, "09:05"), ("", "09:00")])
def test_media_packages_of_opencast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], temporal: str, start: str
) -> None:
    package = tmp_path / "org" / "5e4cca0e"
    (package / "track-1").mkdir(parents=True)
    (package / "manifest.xml").write_text(PACKAGE.format(id="5e4cca0e"))
    (package / "episode.xml").write_text(EPISODE.format(temporal=temporal))
    (package / "track-1" / "room.mkv").write_bytes(b"x")
    broken = tmp_path / "org" / "broken"
    broken.mkdir()
    (broken / "manifest.xml").write_text("<mediapackage>")
    rooms = tmp_path / "rooms.csv"
    rooms.write_text("theirs,room\nagent-hall-a,Hall A\n")
    status, lines, complaints = listed(capsys, "opencast", str(tmp_path / "org"), "--rooms", str(rooms))
    assert status == 1
    assert "broken/manifest.xml: no media package" in complaints
    assert lines == [
        ["file", "room", "start"],
        [str(package / "track-1" / "room.mkv"), "Hall A", f"2025-03-03T{start}:00+00:00"],
    ]


def test_sessions_of_panopto(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = tmp_path / "Hall A" / "physics"
    session.mkdir(parents=True)
    (session / "session.xml").write_text(SESSION.format(date="2025-03-03T10:00:00.000+01:00"))
    (session / "room.mp4").write_bytes(b"x")
    status, lines, complaints = listed(capsys, "panopto", str(tmp_path))
    assert (status, complaints) == (0, "")
    assert lines[1:] == [[str(session / "room.mp4"), "Hall A", "2025-03-03T09:01:02.500000+00:00"]]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(",".join(line) for line in lines))
    (line,) = read_table_file(table, (FILE, ROOM, START)).lines()
    assert line.values[ROOM.name] == "Hall A"
    assert datetime.fromisoformat(line.values[START.name]) == datetime(2025, 3, 3, 9, 1, 2, 500_000, tzinfo=UTC)


def test_a_session_without_an_offset_is_not_guessed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = tmp_path / "Hall A" / "physics"
    session.mkdir(parents=True)
    (session / "session.xml").write_text(SESSION.format(date="2025-03-03T10:00:00"))
    (session / "room.mp4").write_bytes(b"x")
    status, lines, complaints = listed(capsys, "panopto", str(tmp_path))
    assert (status, lines[1:]) == (1, [])
    assert "no date with an offset" in complaints
