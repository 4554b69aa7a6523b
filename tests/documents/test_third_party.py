"""THIRD_PARTY.md names everything that the lock files install."""

import re
from pathlib import Path

import pytest

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
    for lock in [*(ROOT / "locks").glob("*.txt"), ROOT / "operations" / "demo" / "pictures.lock"]:
        assert "://" not in lock.read_text(), lock
