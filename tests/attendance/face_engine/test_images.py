import io
import struct
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFile

from attendance.face_engine.images import decode_image
from attendance.face_engine.interface import Image, ImageError, ImageTooLargeError
from tests.attendance.pictures.made import exif_of, stored_as

MOST = 16_000_000
SCENE = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8).repeat(4, 0).repeat(4, 1)


def encode(image: Image | Pillow.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture = image if isinstance(image, Pillow.Image) else Pillow.fromarray(image)
    picture.save(file, kind, **options)
    return file.getvalue()


def as_pillow_reads(data: bytes) -> Image:
    with Pillow.open(io.BytesIO(data)) as file:
        return np.asarray(file.convert("RGB"))


JPEG = encode(SCENE, "JPEG", quality=90)
PNG = encode(SCENE, "PNG")


@pytest.fixture(autouse=True, params=[False, True], ids=["strict Pillow", "forgiving Pillow"])
def forgiving_pillow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing face_recognition tells Pillow to forgive truncated files; nothing here may depend on it."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", request.param)


def test_pixels_are_those_that_pillow_reads(pictures: Path) -> None:
    for name in ("obama.jpg", "t1.jpg", "astronaut.png"):
        data = (pictures / name).read_bytes()
        image = decode_image(data, max_pixels=MOST)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert image.flags.writeable
        assert np.array_equal(image, as_pillow_reads(data))


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_of_every_kind_becomes_rgb(mode: str, progressive: bool) -> None:
    data = encode(Pillow.fromarray(SCENE).convert(mode), "JPEG", progressive=progressive)
    assert np.array_equal(decode_image(data, max_pixels=MOST), as_pillow_reads(data))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("by", [1, 2, 4, 8])
def test_frames_have_the_pixels_of_pillow(subsampling: int, progressive: bool, by: int) -> None:
    """A frame is decoded by OpenCV, a photo that is turned upright by Pillow."""
    odd = SCENE[:91, :123]
    data = encode(odd, "JPEG", quality=90, subsampling=subsampling, progressive=progressive)
    frame = decode_image(data, max_pixels=MOST, formats=("JPEG",), reduce=by)
    assert frame.flags.c_contiguous
    assert frame.flags.writeable
    assert np.array_equal(frame, decode_image(data, max_pixels=MOST, upright=True, reduce=by))


@pytest.mark.parametrize("mode", ["L", "1", "LA", "RGBA", "P"])
def test_png_of_every_kind_becomes_rgb(mode: str) -> None:
    data = encode(Pillow.fromarray(SCENE).convert(mode), "PNG")
    assert np.array_equal(decode_image(data, max_pixels=MOST), as_pillow_reads(data))


def test_transparency_is_dropped_as_face_recognition_drops_it() -> None:
    clear = np.dstack([SCENE, np.zeros(SCENE.shape[:2], np.uint8)])
    assert np.array_equal(decode_image(encode(clear, "PNG"), max_pixels=MOST), SCENE)


def test_palette_with_transparency_does_not_warn() -> None:
    data = encode(Pillow.fromarray(SCENE).convert("P"), "PNG", transparency=bytes(range(200)))
    assert decode_image(data, max_pixels=MOST).shape == SCENE.shape


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_become_eight(channels: int) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (20, 30, channels), np.uint16)
    written, data = cv2.imencode(".png", deep[..., ::-1])
    assert written
    expected = np.broadcast_to(deep >> 8, (20, 30, 3))
    assert np.array_equal(decode_image(data.tobytes(), max_pixels=MOST), expected)


def test_what_follows_the_end_is_ignored() -> None:
    for data in (JPEG, PNG):
        for tail in (b"\0", b"garbage" * 100, JPEG, PNG, b"\xff\xd8\xff"):
            assert np.array_equal(decode_image(data + tail, max_pixels=MOST), as_pillow_reads(data))


@pytest.mark.parametrize(
    "data", [JPEG, PNG, encode(SCENE, "JPEG", progressive=True)], ids=["JPEG", "PNG", "progressive"]
)
def test_every_cut_is_noticed(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(ImageError):
            decode_image(data[:length], max_pixels=MOST)
    with pytest.raises(ImageError, match="truncated"):
        decode_image(data[: len(data) * 2 // 3], max_pixels=MOST)
    with pytest.raises(ImageError, match="truncated"):
        decode_image(data[:-1], max_pixels=MOST)


def test_a_cut_photo_is_noticed(pictures: Path) -> None:
    data = (pictures / "obama.jpg").read_bytes()
    for length in (len(data) - 1, len(data) - 2, len(data) - 100, len(data) // 2, 1000):
        with pytest.raises(ImageError, match="truncated"):
            decode_image(data[:length], max_pixels=MOST)


@pytest.mark.parametrize(
    "data",
    [
        b"hello, I am a photo",
        b"<html></html>",
        encode(SCENE, "GIF"),
        encode(SCENE, "BMP"),
        encode(SCENE, "TIFF"),
        b"\xff" * 100,
        b"\0" * 1000,
    ],
    ids=["text", "HTML", "GIF", "BMP", "TIFF", "ones", "zeros"],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="not a JPEG or PNG"):
        decode_image(data, max_pixels=MOST)


def test_nothing_is_refused() -> None:
    with pytest.raises(ImageError, match="empty"):
        decode_image(b"", max_pixels=MOST)


def test_only_asked_for_formats_are_taken() -> None:
    with pytest.raises(ImageError, match="a PNG image, where JPEG is expected"):
        decode_image(PNG, max_pixels=MOST, formats=("JPEG",))


def resized_jpeg(width: int, height: int) -> bytes:
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def resized_png(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">II", width, height) + PNG[24:29]
    return PNG[:12] + header + struct.pack(">I", zlib.crc32(header)) + PNG[33:]


@pytest.mark.parametrize("resized", [resized_jpeg, resized_png])
def test_sixty_thousand_squared_costs_nothing(resized: object) -> None:
    data = resized(60_000, 60_000)  # type: ignore[operator]
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLargeError, match="60000 x 60000 pixels, 3,600,000,000 in all; at most 16,000,000"):
            decode_image(data, max_pixels=MOST)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_bound_is_exact() -> None:
    height, width, _ = SCENE.shape
    assert decode_image(JPEG, max_pixels=height * width).shape == SCENE.shape
    with pytest.raises(ImageTooLargeError):
        decode_image(JPEG, max_pixels=height * width - 1)


def test_pillows_own_guard_is_met_before_it_warns() -> None:
    with pytest.raises(ImageTooLargeError):
        decode_image(resized_jpeg(10_000, 10_000), max_pixels=200_000_000)


@pytest.mark.parametrize("resized", [resized_jpeg, resized_png])
@pytest.mark.parametrize("size", [(0, 10), (10, 0)])
def test_no_pixels_are_refused(resized: object, size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="empty"):
        decode_image(resized(*size), max_pixels=MOST)  # type: ignore[operator]


def test_rows_that_a_header_invents_are_black() -> None:
    image = decode_image(resized_png(128, 4000), max_pixels=MOST)
    assert image.shape == (4000, 128, 3)
    assert not image[len(SCENE) :].any()


def test_wrong_checksum_is_damage() -> None:
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 1
    with pytest.raises(ImageError, match="damaged PNG: wrong checksum in its IDAT part"):
        decode_image(bytes(damaged), max_pixels=MOST)


def test_thousands_of_scans_are_refused() -> None:
    data = encode(SCENE, "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode_image(data[:second] + data[first:second] * 1000 + data[second:], max_pixels=MOST)


def test_two_frame_headers_are_refused() -> None:
    start = JPEG.index(b"\xff\xc0")
    with pytest.raises(ImageError, match="two frame headers"):
        decode_image(JPEG[: start + 19] + JPEG[start : start + 19] + JPEG[start + 19 :], max_pixels=MOST)


def test_orientation_is_followed_where_asked_for() -> None:
    for orientation, pixels in stored_as(SCENE).items():
        exif = exif_of(orientation)
        data = encode(np.ascontiguousarray(pixels), "JPEG", exif=exif, quality=95, subsampling=0)
        seen = decode_image(data, max_pixels=MOST, upright=True)
        assert seen.shape == SCENE.shape
        assert np.abs(seen.astype(int) - SCENE).mean() < 12, orientation
        assert decode_image(data, max_pixels=MOST).shape == pixels.shape


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0",
        b"Exif\0\0II*\0\xff\xff\xff\xff",
        b"Exif\0\0MM\0*\0\0\0\x08\xff\xff",
        b"Exif\0\0XX*\0\x08\0\0\0\x01\0",
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0",
    ],
)
def test_bad_exif_is_no_orientation(exif: bytes) -> None:
    data = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]
    assert np.array_equal(decode_image(data, max_pixels=MOST, upright=True), as_pillow_reads(JPEG))


def test_text_that_unpacks_to_gigabytes_is_never_unpacked() -> None:
    content = b"zTXt" + b"Comment\0\0" + zlib.compress(bytes(50_000_000))
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    assert np.array_equal(decode_image(PNG[:33] + chunk + PNG[33:], max_pixels=MOST), SCENE)


def test_large_photos_are_shrunk_where_asked_for() -> None:
    big = SCENE.repeat(4, 0).repeat(4, 1)
    small = decode_image(encode(big, "PNG"), max_pixels=MOST, shrink_above=SCENE.shape[0] * SCENE.shape[1])
    assert np.array_equal(small, SCENE)
    assert decode_image(PNG, max_pixels=MOST, shrink_above=MOST).shape == SCENE.shape


def test_threads_do_not_meet() -> None:
    files = [encode(SCENE // divisor, "JPEG") for divisor in range(1, 9)]
    expected = [as_pillow_reads(data) for data in files]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            decoded = pool.map(lambda data: decode_image(data, max_pixels=MOST), files)
            for image, pixels in zip(decoded, expected, strict=True):
                assert np.array_equal(image, pixels)


@settings(max_examples=150, deadline=None)
@given(
    data=st.sampled_from([JPEG, PNG, encode(SCENE, "JPEG", progressive=True)]),
    changes=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damage_is_an_image_or_an_image_error(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        image = decode_image(bytes(damaged), max_pixels=1_000_000)
    except ImageError:
        return
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.dtype == np.uint8


@pytest.mark.parametrize("by", [2, 4, 8])
def test_a_jpeg_is_decoded_at_a_part_of_its_size(pictures: Path, by: int) -> None:
    data = (pictures / "t1.jpg").read_bytes()
    whole = decode_image(data, max_pixels=MOST)
    part = decode_image(data, max_pixels=MOST, reduce=by)
    assert part.shape == (-(-whole.shape[0] // by), -(-whole.shape[1] // by), 3)
    averaged = cv2.resize(whole, part.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(part.astype(int) - averaged).mean() < 4  # grey levels


def test_a_png_and_a_tiny_jpeg_stay_whole() -> None:
    assert np.array_equal(decode_image(PNG, max_pixels=MOST, reduce=4), SCENE)
    tiny = encode(SCENE[:1, :1], "JPEG")
    assert decode_image(tiny, max_pixels=MOST, reduce=8).shape == (1, 1, 3)


def test_the_bound_is_of_the_picture_as_sent() -> None:
    with pytest.raises(ImageTooLargeError, match="96 pixels"):
        decode_image(JPEG, max_pixels=SCENE.shape[0] * SCENE.shape[1] - 1, reduce=8)


def promising(width: int, height: int, kind: str = "JPEG", **options: object) -> bytes:
    """A picture of one block whose header says that it is larger."""
    data = bytearray(encode(np.zeros((8, 8, 3), np.uint8), kind, **options))
    if kind == "PNG":
        data[16:24] = struct.pack(">II", width, height)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
        return bytes(data)
    start = max(data.find(bytes([0xFF, marker])) for marker in (0xC0, 0xC1, 0xC2))
    data[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("options", [{}, {"optimize": True}, {"progressive": True}], ids=str)
@pytest.mark.parametrize("reduce", [1, 8])
def test_a_header_that_promises_more_than_the_bytes_can_hold_is_refused_before_decoding(
    kind: str, options: dict[str, bool], reduce: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = promising(4000, 4000, kind, **options)
    assert len(data) < 700
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _file: pytest.fail("it was decoded"))
    with pytest.raises(
        ImageError, match=r"declares 4000 x 4000 pixels, which take at least [\d,]+ bytes, and holds \d+"
    ):
        decode_image(data, max_pixels=MOST, reduce=reduce)


# What the pictures that compress best take, beside the bound: see `containers._Jpeg._read_frame`.
BLACKEST: list[tuple[str, dict[str, object], int]] = [
    ("RGB", {"subsampling": 2}, 250_000),
    ("RGB", {"subsampling": 2, "optimize": True}, 93_750),
    ("RGB", {"subsampling": 2, "progressive": True}, 93_750),
    ("RGB", {"subsampling": 1, "optimize": True}, 125_000),
    ("RGB", {"subsampling": 0, "optimize": True}, 187_500),
    ("L", {"optimize": True}, 62_500),
    ("L", {"progressive": True}, 62_500),
]


@pytest.mark.parametrize(("mode", "options", "least"), BLACKEST)
def test_the_blackest_picture_of_real_encoders_is_taken(mode: str, options: dict[str, object], least: int) -> None:
    data = encode(Pillow.new(mode, (4000, 4000)), "JPEG", **options)
    assert least <= len(data) < least * 1.02 + 2_000, "the bound is where encoders are, not far below"
    assert not decode_image(data, max_pixels=MOST).any()


@given(width=st.integers(1, 70), height=st.integers(1, 70), grey=st.booleans(), quality=st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_pictures_of_one_colour_and_any_size_are_taken(width: int, height: int, grey: bool, quality: int) -> None:
    plain = Pillow.new("L" if grey else "RGB", (width, height))
    for options in ({}, {"optimize": True}, {"progressive": True}, {"subsampling": 1, "optimize": True}):
        data = encode(plain, "JPEG", quality=quality, **options)
        assert decode_image(data, max_pixels=MOST).shape == (height, width, 3)
    for mode in ("1", "L", "RGB", "P"):
        assert decode_image(encode(plain.convert(mode), "PNG"), max_pixels=MOST).shape == (height, width, 3)


def test_the_blackest_png_is_taken() -> None:
    for mode in ("1", "L", "RGB"):
        data = encode(Pillow.new(mode, (4000, 4000)), "PNG", compress_level=9)
        assert not decode_image(data, max_pixels=MOST).any()


@pytest.mark.parametrize("components", [b"\x00", b"\x03\x01\x22\x00", b"\x01\x01\x00\x00", b"\x01\x01\x51\x00"])
def test_a_frame_header_without_its_components_is_damaged(components: bytes) -> None:
    start = JPEG.index(b"\xff\xc0")
    end = start + 2 + int.from_bytes(JPEG[start + 2 : start + 4], "big")
    content = JPEG[start + 4 : start + 9] + components
    data = JPEG[: start + 2] + (len(content) + 2).to_bytes(2, "big") + content + JPEG[end:]
    with pytest.raises(ImageError, match="without its components"):
        decode_image(data, max_pixels=MOST)


def test_arithmetic_coding_which_has_no_bound_is_refused() -> None:
    with pytest.raises(ImageError, match="arithmetic coding, which is not supported"):
        decode_image(JPEG.replace(b"\xff\xc0", b"\xff\xc9", 1), max_pixels=MOST)
