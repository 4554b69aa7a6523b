"""The process that decodes AVIF and HEIC: what it takes, whatever a file says."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from attendance.pictures.apart import decode_apart
from attendance.pictures.formats import AVIF, HEIC
from attendance.pictures.headers import PhotoFileError
from tests.attendance.pictures.made import declaring, encoded

pytestmark = pytest.mark.real


SPEED = {AVIF: {"speed": 10}, HEIC: {}}
MEASURE = """
import resource, sys
from attendance.pictures.apart import decode_apart
from attendance.pictures.headers import PhotoFileError
try:
    decode_apart(sys.stdin.buffer.read(), sys.argv[1], pixels=2_500_000)
except PhotoFileError:
    pass
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000)
"""


def megabytes_for(data: bytes, kind: str) -> int:
    """Of the process that decodes a picture, all of it."""
    done = subprocess.run([sys.executable, "-c", MEASURE, kind], input=data, capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(("kind", "side"), [(AVIF, 10_000), (HEIC, 1_000)])
def test_a_size_that_is_a_lie_costs_no_memory(kind: str, side: int) -> None:
    """An AVIF of 2 kB that declared 100 x 100 pixels took 214 MB."""
    lie = declaring(encoded(Image.new("L", (side, side)).convert("RGB"), kind, quality=20, **SPEED[kind]), 100, 100)
    with pytest.raises(PhotoFileError, match=kind):
        decode_apart(lie, kind, pixels=2_500_000)
    assert megabytes_for(lie, kind) < 150


@pytest.mark.parametrize(("kind", "size"), [(AVIF, (4_032, 3_024)), (HEIC, (5_712, 4_284))])
def test_a_phone_s_photo_is_taken_and_its_memory_is_bounded(kind: str, size: tuple[int, int]) -> None:
    data = encoded(Image.linear_gradient("L").resize(size).convert("RGB"), kind, quality=40, **SPEED[kind])
    assert decode_apart(data, kind, pixels=2_500_000).width > 1_000
    assert megabytes_for(data, kind) < 180, "150, and the program's own"


def test_it_holds_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither settings nor what lies in the current folder reach it."""
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", "sqlite:///secret.db")
    monkeypatch.setenv("PYTHONSTARTUP", "x")
    (tmp_path / "PIL.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert decode_apart(encoded(Image.new("RGB", (64, 64)), AVIF), AVIF, side=32).size == (32, 32)
