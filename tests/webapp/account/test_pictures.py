"""Profile pictures: what is sent is judged and encoded anew."""

import hashlib
import io
import struct
import time
import zlib

import pytest
from PIL import Image

from attendance.pictures.memory import MOST_SCANS
from tests.attendance.pictures.test_memory import of_scans
from webapp.account.pictures import MAX_BYTES, SIDE, ProfilePictureError, prepare_picture


def encoded(image, kind="JPEG", **more):
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def opened(picture):
    return Image.open(io.BytesIO(picture.data))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "PNG"), ("RGB", "WEBP")],
)
def test_any_kind_becomes_a_square_jpeg(mode, kind):
    picture = prepare_picture(encoded(Image.new(mode, (800, 300)), kind))
    image = opened(picture)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIDE, SIDE))
    assert picture.digest == hashlib.sha256(picture.data).hexdigest()


def test_what_is_transparent_becomes_white():
    image = opened(prepare_picture(encoded(Image.new("RGBA", (10, 10), (0, 0, 0, 0)), "PNG")))
    assert image.getpixel((5, 5)) == (255, 255, 255)


def test_is_turned_upright_and_loses_its_metadata():
    image = Image.new("RGB", (400, 200), "red")
    image.paste("blue", (0, 0, 200, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010E] = "taken at home"
    made = prepare_picture(encoded(image, exif=exif))
    assert b"taken at home" not in made.data
    assert not opened(made).getexif()
    top, bottom = opened(made).getpixel((SIDE // 2, 10)), opened(made).getpixel((SIDE // 2, SIDE - 10))
    assert top[2] > 200
    assert bottom[0] > 200


def declared(width, height):
    """A PNG whose header says it is so large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IDAT"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (b"hello", "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (b"GIF89a" + bytes(100), "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (encoded(Image.new("RGB", (9, 9)), "GIF"), "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (encoded(Image.effect_noise((500, 500), 50))[:9000], "damaged"),
        (declared(60_000, 60_000), "too many pixels"),
        (declared(8_000, 8_000), "too many pixels"),
        (bytes(MAX_BYTES + 1), "larger than 5 MB"),
    ],
)
def test_what_is_no_usable_picture_is_refused(data, message):
    with pytest.raises(ProfilePictureError, match=message):
        prepare_picture(data)


def test_one_that_keeps_a_decoder_busy_is_refused_at_once():
    began = time.monotonic()
    with pytest.raises(ProfilePictureError, match="damaged"):
        prepare_picture(of_scans(400, size=1_500))
    assert time.monotonic() - began < 5
    prepare_picture(of_scans(MOST_SCANS - 20))
