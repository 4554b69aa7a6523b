"""Photos to enrol: what is sent is judged by its header."""

import io
import struct
import zlib

import pytest
from PIL import Image

from webapp.tools.photos import MAX_BYTES, PhotoError, check_photo, name_of_photo


def encoded(image, kind="JPEG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def declared(width, height):
    """A PNG whose header says it is so large."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(Image.new("RGB", (90, 60)), exif=exif)


PHOTO = encoded(Image.effect_noise((300, 300), 50))
PNG = encoded(Image.effect_noise((300, 300), 50), "PNG")


@pytest.mark.parametrize(
    "data",
    [PHOTO, PNG, turned(), PHOTO + b"a film of one second", encoded(Image.new("CMYK", (9, 9)))],
    ids=["JPEG", "PNG", "turned", "with something after it", "CMYK"],
)
def test_takes_a_photo(data):
    check_photo(data)


def test_takes_a_phone_s_picture_of_several_pictures():
    pair = [Image.new("RGB", (60, 60)), Image.new("RGB", (30, 30))]
    check_photo(encoded(pair[0], "MPO", save_all=True, append_images=pair[1:]))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is no JPEG or PNG picture"),
        (encoded(Image.new("RGB", (9, 9)), "GIF"), "is no JPEG or PNG picture"),
        (encoded(Image.new("RGB", (9, 9)), "WEBP"), "is no JPEG or PNG picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no JPEG or PNG picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC picture. Save it as JPEG"),
        (PHOTO[:4000], "damaged"),
        (PNG[:4000], "damaged"),
        (PNG[:4000] + b"x" + PNG[4001:], "damaged"),
        (declared(60_000, 60_000), "more than 80 million pixels"),
        (declared(9_000, 9_000), "more than 80 million pixels"),
        (bytes(MAX_BYTES + 1), "larger than 10 MB"),
    ],
)
def test_what_cannot_be_enrolled_is_refused(data, message):
    with pytest.raises(PhotoError, match=message):
        check_photo(data)


@pytest.mark.parametrize(
    ("given", "taken", "name"),
    [
        ("me.jpg", [], "me.jpg"),
        ("me.jpg", ["me.jpg"], "me (2).jpg"),
        ("me.jpg", ["me.jpg", "me (2).jpg"], "me (3).jpg"),
        ("C:\\photos\\me.jpg", [], "me.jpg"),
        ("../../etc/passwd", [], "passwd"),
        ("Zo\u00eb \u738b.png", [], "Zo\u00eb \u738b.png"),
        ("a\u202egpj.exe\n", [], "a_gpj.exe_"),
        (".hidden", [], ".hidden"),
        ("", [], "photo"),
        (None, ["photo"], "photo (2)"),
        ("x" * 300 + ".jpg", [], "x" * 251 + ".jpg"),
    ],
)
def test_a_name_is_shown_as_it_is_and_told_from_others(given, taken, name):
    assert name_of_photo(given, taken) == name
