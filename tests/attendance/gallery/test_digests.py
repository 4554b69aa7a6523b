import hashlib
from pathlib import Path

import numpy as np
import pytest

from attendance.gallery.digests import tree_digest, tree_digest_of

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1, 40 * MIB])
def test_the_digest_of_the_digests_of_the_parts(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(1).bytes(size)
    (tmp_path / "file").write_bytes(data)
    parts = [data[start : start + 16 * MIB] for start in range(0, max(size, 1), 16 * MIB)]
    expected = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    assert tree_digest(tmp_path / "file") == tree_digest_of(data) == expected


def test_a_bit_in_any_part_counts(tmp_path: Path) -> None:
    data = bytearray(40 * MIB)
    seen = {tree_digest_of(bytes(data))}
    for place in (0, 16 * MIB, 40 * MIB - 1):
        data[place] ^= 8
        seen.add(tree_digest_of(bytes(data)))
    assert len(seen) == 4


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tree_digest(tmp_path / "file")
