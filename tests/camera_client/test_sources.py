import threading
from pathlib import Path

import pytest

from camera_client.frames import SourceError
from camera_client.jpeg import JpegEncoder
from camera_client.sources import SourceKind, SourceOptions, kind_of, open_source


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("0", SourceKind.WEBCAM),
        ("/dev/video2", SourceKind.WEBCAM),
        ("rtsp://cam/live", SourceKind.STREAM),
        ("HTTP://cam/video", SourceKind.STREAM),
    ],
)
def test_what_a_text_names(text: str, kind: SourceKind) -> None:
    assert kind_of(text) is kind
    assert kind.live


def test_files_and_folders(video: Path, folder: Path) -> None:
    assert kind_of(str(video)) is SourceKind.VIDEO
    assert kind_of(str(folder)) is SourceKind.PICTURES
    assert kind_of(str(folder / "00.jpg")) is SourceKind.PICTURES
    assert not kind_of(str(video)).live


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nowhere.mp4", "nowhere.mp4: no such file or folder"),
        ("gopher://me:pw@cam/live", r"gopher://me:\*\*\*@cam/live: unknown kind of address \(known: rtsp://"),
        ("-1", "-1: no such file or folder"),
    ],
)
def test_what_names_nothing_is_told(text: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        kind_of(text)


def test_sources_are_made_of_their_kind(video: Path, folder: Path) -> None:
    options = SourceOptions(rate=1, paced=False)
    for path, frames in ((video, 3), (folder, 6)):
        source = open_source(str(path), options, encoder=JpegEncoder())
        assert source.name == str(path)
        assert len(list(source.frames(threading.Event()))) == frames
    assert open_source("/dev/video5", options, encoder=JpegEncoder()).name == "webcam 5"
