"""What decoding pictures takes: the bound, and what programs really take, each in a process of its own."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from attendance.pictures.memory import MOST_BYTES, MOST_SCANS, decoding_bytes, has_too_many_scans, reduction_for

MB = 1_000_000


def made(folder: Path, kind: str, mode: str, width: int, height: int, *, progressive: bool = False) -> Path:
    """A picture in which something is seen, compressed well."""
    stripes = Image.linear_gradient("L").resize((width, height)).convert(mode)
    path = folder / f"{kind}-{mode}-{width}x{height}-{progressive}"
    how = {"JPEG": {"quality": 40, "progressive": progressive}, "PNG": {"compress_level": 1}, "WEBP": {"method": 0}}
    stripes.save(path, kind, **how[kind])
    return path


COSTLY = [
    ("JPEG", "RGB", (9_900, 5_000), False),
    ("JPEG", "RGB", (4_000, 4_100), True),
    ("PNG", "RGB", (5_000, 4_900), False),
    ("PNG", "RGBA", (2_900, 2_800), False),
    ("PNG", "P", (2_900, 2_800), False),
    ("PNG", "I;16", (2_800, 2_900), False),
]
"""Each nearly as large as is taken."""
WEBP = [("WEBP", "RGB", (2_500, 2_400), False), ("WEBP", "RGBA", (2_000, 2_000), False)]
BOMB = ("WEBP", "RGB", (7_000, 7_000), False)
PROFILE = """
from webapp.account.pictures import ProfilePictureError as Refused, prepare_picture as take
"""
ENROLLED = """
from attendance.face_engine.photos import decode_photo
from attendance.face_engine.interface import ImageError as Refused
take = lambda data: decode_photo(data, max_pixels=80_000_000, shrink_above=2_500_000)
"""
MEASURE = """
import re, sys, threading
from pathlib import Path

def peak_kb():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

before, tried = peak_kb(), []
for name in sys.argv[2:]:
    data = Path(name).read_bytes()
    def attempt():
        try:
            take(data)
            tried.append("taken")
        except Refused:
            tried.append("refused")
    if sys.argv[1] == "1":  # as the gallery's worker does it
        attempt()
        continue
    threads = [threading.Thread(target=attempt) for _ in range(int(sys.argv[1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print((peak_kb() - before) // 1024, *tried)
"""


def grown_mb(program: str, together: int, paths: list[Path]) -> tuple[int, list[str]]:
    """By how much a program's memory grew at most over pictures, so many of each at once, and what became of them."""
    done = subprocess.run(
        [sys.executable, "-c", program + MEASURE, str(together), *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    grown, *tried = done.stdout.split()
    return int(grown), tried


@pytest.mark.long("six of each of nine large pictures, as an attacker sends them")
def test_no_profile_picture_takes_much_memory_six_at_once(tmp_path: Path) -> None:
    paths = [made(tmp_path, kind, mode, *size, progressive=p) for kind, mode, size, p in [*COSTLY, *WEBP, BOMB]]
    grown, tried = grown_mb(PROFILE, 6, paths)
    assert grown < 150
    assert tried == ["taken"] * 6 * (len(paths) - 1) + ["refused"] * 6


@pytest.mark.long("pictures must be large to show it")
def test_no_photo_to_enrol_takes_much_memory(tmp_path: Path) -> None:
    more = ("JPEG", "RGB", (9_900, 8_000), False)
    paths = [made(tmp_path, kind, mode, *size, progressive=p) for kind, mode, size, p in [*COSTLY, more]]
    grown, tried = grown_mb(ENROLLED, 1, paths)
    assert grown < 150
    assert tried == ["taken"] * len(paths)


@pytest.mark.parametrize(
    ("kind", "mode", "size", "progressive", "reduction"),
    [
        ("JPEG", "RGB", (4_000, 3_000), False, 1),
        ("JPEG", "RGB", (8_000, 6_000), False, 2),
        ("JPEG", "RGB", (4_000, 3_000), True, 1),
        ("JPEG", "RGB", (6_000, 4_000), True, 2),
        ("JPEG", "RGB", (7_000, 7_000), True, None),
        ("PNG", "RGB", (5_000, 5_000), False, 1),
        ("PNG", "RGB", (5_010, 5_000), False, None),
        ("WEBP", "RGB", (3_000, 3_000), False, None),
    ],
)
def test_how_much_a_picture_is_reduced(
    kind: str, mode: str, size: tuple[int, int], progressive: bool, reduction: int | None
) -> None:
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **({"progressive": progressive} if kind == "JPEG" else {}))
    with Image.open(buffer) as picture:
        assert reduction_for(picture) == reduction
        if reduction is not None:
            assert decoding_bytes(picture, reduction) <= MOST_BYTES
            assert reduction == 1 or decoding_bytes(picture, reduction // 2) > MOST_BYTES
        assert reduction_for(picture, most_bytes=1_000) is None


def of_scans(more: int, between: bytes = b"", size: int = 64) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((size, size)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    return data[:-2] + (between + data[data.rindex(b"\xff\xda") : -2]) * more + data[-2:]


@pytest.mark.parametrize("between", [b"", b"junk", b"\xff\xff", b"\xff\xfe\x00\x04ab"], ids=repr)
def test_a_jpeg_that_keeps_a_decoder_busy_is_known_by_its_scans(between: bytes) -> None:
    assert has_too_many_scans(of_scans(MOST_SCANS, between))
    Image.open(io.BytesIO(of_scans(MOST_SCANS, between))).load()  # libjpeg would take it


def test_what_follows_a_picture_is_none_of_its_scans() -> None:
    whole = of_scans(0)
    assert not has_too_many_scans(of_scans(MOST_SCANS - 20))
    assert not has_too_many_scans(whole + b"\xff\xda\x00\x02" * 2 * MOST_SCANS)
    assert not has_too_many_scans(whole[:40])
    in_a_comment = b"\xff\xfe\x02\x02" + b"\xff\xda" * 256
    assert not has_too_many_scans(whole[:2] + in_a_comment + whole[2:])
