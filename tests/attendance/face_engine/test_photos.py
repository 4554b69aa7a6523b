"""Photos of every format, however they are named and turned, and what cannot be one."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFile, PngImagePlugin

from attendance.face_engine.interface import ImageError, ImageTooLargeError
from attendance.face_engine.photos import decode_photo
from attendance.pictures.formats import AVIF, HEIC, JPEG, PHOTO_FORMATS, PNG, WEBP
from tests.attendance.pictures.made import declaring, encoded, exif_of, stored_as
from webapp.tools.decoding import decode_small

pytestmark = pytest.mark.real  # AVIF and HEIC are decoded in a process of their own
MOST = 16_000_000
# Four fields of one colour each: no two ways of turning it look alike.
SCENE = np.zeros((96, 128, 3), np.uint8)
SCENE[:48, :64], SCENE[:48, 64:], SCENE[48:, :64] = (220, 30, 30), (30, 220, 30), (30, 30, 220)
STORED = stored_as(SCENE)


@pytest.fixture(autouse=True, params=[False, True], ids=["strict Pillow", "forgiving Pillow"])
def forgiving_pillow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing face_recognition tells Pillow to forgive truncated files; nothing here may depend on it."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


def stored(orientation: int) -> Pillow.Image:
    return Pillow.fromarray(np.ascontiguousarray(STORED[orientation]))


def photo(data: bytes) -> np.ndarray:
    return decode_photo(data, max_pixels=MOST, shrink_above=2_500_000)


def is_scene(pixels: np.ndarray) -> bool:
    return pixels.shape == SCENE.shape and bool(np.abs(pixels.astype(int) - SCENE).mean() < 6)


@pytest.mark.parametrize("kind", PHOTO_FORMATS)
def test_every_format_is_read_and_turned_as_it_says(kind: str) -> None:
    """HEIC and AVIF keep it as irot and imir, PNG as eXIf, WebP as EXIF; the dashboard shows what is enrolled."""
    for orientation in STORED:
        data = encoded(stored(orientation), kind, exif=exif_of(orientation))
        assert is_scene(photo(data)), orientation
        shown = decode_small(data, side=720, most_pixels=MOST)
        assert shown is not None
        assert is_scene(np.asarray(shown)), orientation


def png_with(chunk: bytes, *, behind: bool = False) -> bytes:
    """A PNG that lies on its side and has one more part, before its pixels or behind them."""
    data = encoded(stored(6), PNG)
    part = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    place = len(data) - 12 if behind else 33
    return data[:place] + part + data[place:]


TIFF = exif_of(6).tobytes().removeprefix(b"Exif\0\0")
RAW = b"\nexif\n%8d\n%s\n" % (len(TIFF) + 6, (b"Exif\0\0" + TIFF).hex().encode())
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize(
    "data",
    [
        png_with(b"eXIf" + TIFF),
        png_with(b"eXIf" + TIFF, behind=True),
        png_with(b"zTXtRaw profile type exif\0\0" + zlib.compress(RAW)),
        png_with(b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP),
        encoded(stored(6), JPEG, xmp=XMP),
        encoded(stored(6), WEBP, xmp=XMP),
    ],
    ids=["eXIf", "eXIf behind the pixels", "raw profile", "XMP of PNG", "XMP of JPEG", "XMP of WebP"],
)
def test_orientation_wherever_programs_write_it(data: bytes) -> None:
    assert is_scene(photo(data))
    shown = decode_small(data, side=720, most_pixels=MOST)
    assert shown is not None
    assert is_scene(np.asarray(shown))


@pytest.mark.parametrize(
    "chunk",
    [b"eXIf", b"eXIfII*\0\xff\xff", b"zTXtRaw profile type exif\0\0junk", b"tEXtRaw profile type exif\0\n"],
)
def test_a_damaged_orientation_is_none(chunk: bytes) -> None:
    assert photo(png_with(chunk)).shape == STORED[6].shape


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff"])
def test_a_damaged_orientation_of_a_webp_is_none_either(exif: bytes) -> None:
    data = encoded(stored(6), WEBP, exif=exif)
    assert photo(data).shape == STORED[6].shape
    shown = decode_small(data, side=720, most_pixels=MOST)
    assert shown is not None
    assert np.asarray(shown).shape == STORED[6].shape


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_webp_that_is_damaged_inside_is_refused(orientation: int) -> None:
    data = encoded(stored(orientation), WEBP, exif=exif_of(orientation))
    place = data.index(b"VP8L") + 13  # behind the size
    with pytest.raises(ImageError, match="damaged WebP: it cannot be decoded"):
        photo(data[:place] + b"\xff" * 8 + data[place + 8 :])


@pytest.mark.parametrize("kind", [WEBP, AVIF, HEIC])
def test_what_is_cut_off_is_refused_by_its_format(kind: str) -> None:
    noise = Pillow.effect_noise((300, 200), 60).convert("RGB")
    data = encoded(noise, kind)
    for length in (40, len(data) // 2, len(data) - 1):
        with pytest.raises(ImageError, match=f"the {kind} is truncated"):
            photo(data[:length])
    assert photo(data + b"a film of one second" if kind == WEBP else data).shape == (200, 300, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a" + bytes(60), "a GIF file, where JPEG, PNG, WebP, AVIF or HEIC is expected"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", "a film file, where"),
        (b"hello", "no picture: neither JPEG, PNG, WebP, AVIF nor HEIC"),
        (b"", "the image is empty"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged HEIC: it does not say its size"),
        (b"RIFF\x16\0\0\0WEBPVP8 " + bytes(20), "damaged WebP: it does not say its size"),
    ],
)
def test_what_is_no_photo_is_told_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        photo(data)


@pytest.mark.parametrize(("kind", "size"), [(WEBP, (2_501, 2_500)), (AVIF, (5_000, 2_501)), (HEIC, (5_001, 5_000))])
def test_too_many_pixels_are_refused_before_they_are_decoded(kind: str, size: tuple[int, int]) -> None:
    data = encoded(Pillow.new("RGB", (64, 64)), kind)
    if kind == WEBP:
        packed = (size[0] - 1) | (size[1] - 1) << 14
        data = re.sub(rb"(VP8L....\x2f)....", rb"\1" + re.escape(struct.pack("<I", packed)), data, flags=re.DOTALL)
    else:
        data = declaring(data, *size)
    with pytest.raises(ImageTooLargeError, match=rf"the {kind} picture has {size[0]} x {size[1]} pixels"):
        photo(data)


def test_heic_where_its_package_was_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImageError, match="the HEIC picture cannot be read here: save it as JPEG"):
        photo(encoded(Pillow.new("RGB", (64, 64)), HEIC))


def test_large_ones_are_shrunk_and_their_transparency_is_dropped() -> None:
    clear = Pillow.fromarray(SCENE).resize((1_280, 960)).convert("RGBA")
    clear.putalpha(Pillow.new("L", clear.size, 200))
    for kind in (WEBP, AVIF, HEIC, PNG):
        small = decode_photo(encoded(clear, kind), max_pixels=MOST, shrink_above=20_000)
        assert small.shape == (SCENE.shape[0] * 10 // 8, SCENE.shape[1] * 10 // 8, 3)[: small.ndim], kind
        shown = decode_small(encoded(clear, kind), side=96, most_pixels=MOST)
        assert shown is not None
        assert (shown.mode, shown.size) == ("RGB", (128, 96))
        assert shown.getpixel((120, 90)) == pytest.approx((55, 55, 55), abs=4)  # black, on white


@pytest.mark.parametrize("kind", [PNG, WEBP, AVIF, HEIC])
def test_who_decides_on_a_photo_sees_what_the_engine_sees(kind: str) -> None:
    """A picture hidden in what is transparent shows in both, however much it is shrunk."""
    hidden = Pillow.fromarray(SCENE).resize((1_280, 960)).convert("RGBA")
    hidden.putalpha(Pillow.new("L", hidden.size, 3))
    data = encoded(hidden, kind, **({"exact": True} if kind == WEBP else {}))
    engine = decode_photo(data, max_pixels=MOST, shrink_above=2_500_000)
    person = decode_small(data, side=240, most_pixels=MOST, as_stored=True)
    assert person is not None
    assert engine.shape == (960, 1280, 3)
    small = np.asarray(Pillow.fromarray(engine).reduce(4)).astype(int)
    assert np.abs(small - np.asarray(person)).mean() < 3
    assert np.abs(engine[100, 100].astype(int) - (220, 30, 30)).max() < 12


def test_a_film_of_pictures_is_read_by_its_first() -> None:
    file = io.BytesIO()
    frames = [Pillow.fromarray(SCENE), Pillow.new("RGB", (128, 96))]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert is_scene(photo(file.getvalue()))


def test_a_png_may_carry_text(monkeypatch: pytest.MonkeyPatch) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 1000, zip=True)
    assert is_scene(photo(encoded(Pillow.fromarray(SCENE), PNG, pnginfo=info)))
