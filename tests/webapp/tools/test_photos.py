"""Photos to enrol: what is sent is judged by its header."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from attendance.face_engine.images import decode_image
from attendance.pictures.memory import MOST_SCANS
from tests.attendance.pictures.test_memory import of_scans
from webapp.tools.photos import MAX_BYTES, MAX_PIXELS, PhotoError, check_photo, name_of_photo, small_copy


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
        (b"hello", "is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (encoded(Image.new("RGB", (9, 9)), "GIF"), "is a file of the format GIF. Save it as JPEG"),
        (encoded(Image.new("RGB", (9, 9)), "WEBP")[:-2], "damaged"),
        (encoded(Image.new("RGB", (9, 9)), "AVIF")[:-2], "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged"),
        (PHOTO[:4000], "damaged"),
        (PNG[:4000], "damaged"),
        (PNG[:4000] + b"x" + PNG[4001:], "damaged"),
        (of_scans(2 * MOST_SCANS), "damaged"),
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


def two_faced():
    """A PNG that looks like one picture on white, and holds another one where transparency is dropped."""
    across = np.tile(np.linspace(128, 255, 300), (300, 1))
    down = np.tile(np.linspace(0, 127, 300), (300, 1)).T
    alpha = (255 - across) * 255 / (255 - down)
    layers = [Image.fromarray(layer.round().clip(0, 255).astype(np.uint8)) for layer in (down, alpha)]
    assert np.abs(np.asarray(laid_on_white(Image.merge("LA", layers)), float)[..., 0] - across).max() < 2
    return encoded(Image.merge("LA", layers), "PNG")


def laid_on_white(picture):
    white = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")


def see_through(mode):
    picture = Image.radial_gradient("L").convert("RGB")
    picture.putalpha(Image.linear_gradient("L"))
    return encoded(picture.convert(mode), "PNG")


def with_one_colour_see_through(mode):
    colour = 200 if mode == "L" else (200, 200, 200)
    return encoded(Image.radial_gradient("L").convert(mode), "PNG", transparency=colour)


def of_sixteen_bits():
    rows = np.arange(256, dtype=np.uint16)[:, np.newaxis] * 256
    return encoded(Image.fromarray(np.ascontiguousarray(np.broadcast_to(rows, (256, 256)))), "PNG")


def called_red_green_blue(*, jfif):
    """A JPEG whose components are named R, G and B: what its colours are, libjpeg tells by the segment JFIF."""
    picture = Image.merge("RGB", [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.new("L", (256, 256))])
    data = bytearray(encoded(picture, quality=95))
    frame, scan = data.index(b"\xff\xc0"), data.index(b"\xff\xda")
    for number, name in enumerate(b"RGB"):
        data[frame + 10 + 3 * number] = name
        data[scan + 5 + 2 * number] = name
    return bytes(data if jfif else data[:2] + data[20:])


@pytest.mark.parametrize(
    "data",
    [
        two_faced(),
        see_through("RGBA"),
        see_through("LA"),
        see_through("P"),
        with_one_colour_see_through("L"),
        with_one_colour_see_through("RGB"),
        of_sixteen_bits(),
        called_red_green_blue(jfif=True),
        called_red_green_blue(jfif=False),
        encoded(Image.radial_gradient("L").convert("RGB").convert("CMYK")),
        encoded(Image.radial_gradient("L").convert("1"), "PNG"),
    ],
    ids=[
        "two faces",
        "RGBA",
        "LA",
        "P",
        "L and a colour",
        "RGB and a colour",
        "16 bits",
        "JFIF",
        "no JFIF",
        "CMYK",
        "1",
    ],
)
def test_who_decides_on_a_photo_sees_what_the_engine_sees(data):
    check_photo(data)
    seen = np.asarray(Image.open(io.BytesIO(small_copy(data))).convert("RGB"), float)
    encoded_from = decode_image(data, max_pixels=MAX_PIXELS, upright=True).astype(float)
    assert seen.shape == encoded_from.shape
    assert np.abs(seen - encoded_from).mean() < 3  # the copy is a JPEG
