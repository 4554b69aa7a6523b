"""The contents say what a file is."""

import io

import pytest
from PIL import Image

from attendance.pictures.formats import PHOTO_FORMATS, format_of, one_of
from tests.attendance.pictures.made import encoded

SMALL = Image.linear_gradient("L").convert("RGB")


def old(kind: str) -> bytes:
    file = io.BytesIO()
    SMALL.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", PHOTO_FORMATS)
def test_each_format_is_known_by_its_first_bytes(kind: str) -> None:
    assert format_of(encoded(SMALL, kind)[:64]) == kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (old("GIF"), "GIF"),
        (old("BMP"), "BMP"),
        (old("TIFF"), "TIFF or raw"),
        (old("JPEG2000"), "JPEG 2000"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "film"),
        (b"%PDF-1.7", "PDF"),
        (b"BMW is a car", None),
        (b"<svg", None),
        (b"", None),
    ],
)
def test_others_are_named_too(data: bytes, kind: str | None) -> None:
    assert format_of(data) == kind


def test_names_in_a_row() -> None:
    assert (one_of(["A", "B", "C"]), one_of(["A"])) == ("A, B or C", "A")
