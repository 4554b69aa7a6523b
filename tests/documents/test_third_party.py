"""THIRD_PARTY.md names everything that the lock files install."""

import re
from pathlib import Path

import pytest

from attendance.face_engine.models.catalogue import DLIB_FILES, OPENCV_FILES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lock", ["build", "camera", "runtime", "dev"])
def test_every_locked_package_is_named_with_a_licence(lock: str) -> None:
    text = (ROOT / "locks" / f"{lock}.txt").read_text()
    # A package that no platform installs (uv keeps overridden ones with such a marker) is not part of the product.
    locked = set(re.findall(r"^([A-Za-z0-9_.-]+)==(?!.*'never')", text, re.MULTILINE))
    named = dict(re.findall(r"^\| ([a-z0-9_.-]+) \| (\S.*) \|$", (ROOT / "THIRD_PARTY.md").read_text(), re.MULTILINE))
    assert locked
    assert locked - named.keys() == set()


def test_lock_files_hold_no_download_address() -> None:
    locks = [*(ROOT / "locks").glob("*.txt"), *ROOT.glob("operations/**/*.lock"), *ROOT.glob("attendance/**/*.lock")]
    assert {lock.name for lock in locks} >= {"runtime.txt", "pictures.lock", "sources.lock"}
    for lock in locks:
        assert "://" not in lock.read_text(), lock


def test_every_model_file_is_named_with_its_terms() -> None:
    text = (ROOT / "THIRD_PARTY.md").read_text()
    rows = {name: row for row in text.splitlines() for name in re.findall(r"^\| `([\w.]+)` \|", row)}
    for known in (*DLIB_FILES, *OPENCV_FILES):
        name = known.name.removesuffix(".onnx").removesuffix("_int8bq")
        assert known.licence.replace("CC0-1.0", "CC0") in rows[name], known
