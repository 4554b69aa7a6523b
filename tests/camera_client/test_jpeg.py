import struct

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from camera_client.jpeg import JpegEncoder, PictureError, read_jpeg_header
from tests.camera_client.moving_pictures import picture


def noise(width: int = 640, height: int = 480) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: NDArray[np.uint8], suffix: str = ".jpg", *parameters: int) -> bytes:
    done, data = cv2.imencode(suffix, image, list(parameters))
    assert done
    return data.tobytes()


def with_exif(jpeg: bytes, orientation: int, order: str = ">") -> bytes:
    tiff = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8)
    tiff += struct.pack(f"{order}HHHIHH", 1, 0x0112, 3, 1, orientation, 0) + b"\0\0\0\0"
    content = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def size_of(jpeg: bytes) -> tuple[int, int]:
    header = read_jpeg_header(jpeg)
    assert header is not None
    return header.width, header.height


def test_frames_become_jpegs_of_their_size() -> None:
    data = JpegEncoder().encode(picture(3))
    assert size_of(data) == (160, 120)


def test_wide_frames_are_scaled_down() -> None:
    assert size_of(JpegEncoder(max_width=320).encode(noise())) == (320, 240)


def test_quality_counts() -> None:
    assert len(JpegEncoder(quality=40).encode(noise())) < len(JpegEncoder(quality=95).encode(noise()))


@pytest.mark.parametrize("most", [150_000, 20_000])
def test_large_frames_are_compressed_until_they_fit(most: int) -> None:
    data = JpegEncoder(quality=95, max_bytes=most).encode(noise())
    assert len(data) <= most
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


def test_a_frame_that_can_never_fit_is_refused() -> None:
    with pytest.raises(PictureError, match="larger than 300 bytes"):
        JpegEncoder(max_bytes=300).encode(noise())


@pytest.mark.parametrize("parameters", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_QUALITY, 20)])
def test_jpeg_files_go_as_they_are(parameters: tuple[int, ...]) -> None:
    data = encoded(noise(), ".jpg", *parameters)
    assert JpegEncoder().accept(data) is data


def test_grey_jpeg_files_go_as_they_are() -> None:
    data = encoded(cv2.cvtColor(picture(1), cv2.COLOR_BGR2GRAY).astype(np.uint8))
    assert JpegEncoder().accept(data) is data


def test_jpeg_files_with_bytes_after_their_end_go_as_they_are() -> None:
    data = encoded(picture(1)) + b"\0" * 50
    assert JpegEncoder().accept(data) is data


def test_too_wide_or_too_large_jpeg_files_are_encoded_anew() -> None:
    data = encoded(noise())
    assert size_of(JpegEncoder(max_width=320).accept(data)) == (320, 240)
    assert len(JpegEncoder(max_bytes=len(data) // 3).accept(data)) <= len(data) // 3


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".tiff"])
def test_other_pictures_become_jpegs(suffix: str) -> None:
    assert size_of(JpegEncoder().accept(encoded(picture(2), suffix))) == (160, 120)


@pytest.mark.parametrize("order", [">", "<"])
def test_rotated_jpeg_files_are_turned_upright(order: str) -> None:
    data = with_exif(encoded(picture(1)), 6, order)
    assert read_jpeg_header(data).orientation == 6
    assert size_of(JpegEncoder().accept(data)) == (120, 160)


def test_upright_exif_changes_nothing() -> None:
    data = with_exif(encoded(picture(1)), 1)
    assert JpegEncoder().accept(data) is data


def test_damaged_exif_changes_nothing() -> None:
    data = with_exif(encoded(picture(1)), 6).replace(struct.pack(">I", 8), struct.pack(">I", 60_000), 1)
    assert JpegEncoder().accept(data) is data


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello", "no picture"),
        (b"\xff\xd8\xff", "no picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 100, "no picture"),
        (encoded(noise())[:5000], "cut off"),
        (encoded(noise())[:-2], "cut off"),
        (encoded(picture(1), ".png")[:100], "no picture"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason):
        JpegEncoder().accept(data)


def test_a_thumbnail_does_not_hide_that_a_file_is_cut_off() -> None:
    whole = with_exif(encoded(noise()), 1)
    thumbnail = encoded(picture(1))
    segment = b"\xff\xe2" + struct.pack(">H", len(thumbnail) + 2) + thumbnail
    with pytest.raises(PictureError, match="cut off"):
        JpegEncoder().accept((whole[:2] + segment + whole[2:])[:9000])


def test_random_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(7)
    whole = bytearray(with_exif(encoded(picture(1)), 6))
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(2, len(data), 5):
            data[place] = rng.integers(0, 256)
        try:
            JpegEncoder().accept(bytes(data[: rng.integers(1, len(data))]))
        except PictureError:
            continue


@pytest.mark.parametrize("flags", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 4]])
def test_a_jpeg_that_is_damaged_in_its_middle_is_refused_though_it_decodes(flags: list[int]) -> None:
    """Decoders say yes to it, and give a picture whose rest is grey or out of place."""
    rng = np.random.default_rng(3)
    image = cv2.resize(rng.integers(0, 255, (60, 80, 3), np.uint8), (640, 480))
    whole = cv2.imencode(".jpg", image, flags)[1].tobytes()
    assert JpegEncoder().accept(whole) == whole
    middle = len(whole) // 2
    for seed in range(5):
        noise = np.random.default_rng(seed).integers(0, 256, 3000, np.uint8).tobytes()
        with pytest.raises(PictureError, match="it is damaged"):
            JpegEncoder().accept(whole[:middle] + noise + whole[middle + len(noise) :])
