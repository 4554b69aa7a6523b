"""Published indexes whose checksums are right and whose contents are not, as whoever may write there can make them."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from attendance.gallery.digests import tree_digest_of


def falsify(
    folder: Path, version: str, files: Mapping[str, bytes] | None = None, *, fields: Mapping[str, object] | None = None
) -> None:
    """Change files of a version, and fields of its manifest; every checksum is made right again."""
    place = folder / "versions" / version
    manifest = json.loads((place / "manifest.json").read_bytes())
    for name, data in (files or {}).items():
        (place / name).write_bytes(data)
        manifest["files"][name] = tree_digest_of(data)
    write_manifest(folder, version, json.dumps({**manifest, **(fields or {})}).encode())


def write_manifest(folder: Path, version: str, data: bytes) -> None:
    """Replace a manifest, and vouch for it."""
    (folder / "versions" / version / "manifest.json").write_bytes(data)
    (folder / "CURRENT").write_text(f"{version} {hashlib.sha256(data).hexdigest()}\n")


def array_file(array: Any) -> bytes:
    """An array as a file of NumPy's, objects and all."""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    return data.getvalue()
