"""YuNet and SFace out of the folder of model files, as graphs that the runtimes run."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from attendance.face_engine.interface import ModelError, ModelFile
from attendance.face_engine.models.cache import cached, require_private
from attendance.face_engine.models.catalogue import KnownFile
from attendance.face_engine.models.fetching import find_file
from attendance.face_engine.models.opencv_export import OPENCV_EXPORT_VERSION, export_sface, export_yunet

SFACE_MODEL = "sface-2021dec"
"""The name under which galleries remember SFace's encodings, whichever form of the file and runtime made them."""
_EXPORTS: dict[str, Callable[[str, bytes], bytes]] = {"detector": export_yunet, "encoder": export_sface}
# What the exports give for the known files, by the file's SHA-256. The graph of another file is not kept but made anew.
_GRAPH_SHA256 = {
    "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10": (
        "98cd47b6ff4054ea336755c8844a9eabcdd5dafc0eda191f3e06dff022396dc2"
    ),
    "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee": (
        "33084957b8a6c183d043145f8453d1d94dad7656fab2040479d6494d7f92d26c"
    ),
}


def load_opencv_graph(folder: Path, part: str) -> tuple[bytes, ModelFile]:
    """The graph of a part of the family opencv, and the file that it is of.

    Both the file and the graph made of it are used only with the SHA-256 that this code knows, so that what is damaged
    or put in their place is noticed; the graph is made anew then.

    Args:
        folder: of the model files.
        part: detector or encoder.

    Raises:
        ModelError: the file is missing or not genuine, or somebody else may write in the folder.
    """
    require_private(folder)
    known = find_file(folder, part)
    if known is None:
        raise ModelError(
            f"the {part} of the models opencv is not in {folder}, or is damaged: `attendance models fetch` gets it"
        )
    return _graph(folder, known, part), ModelFile(known.name, known.sha256)


def _graph(folder: Path, known: KnownFile, part: str) -> bytes:
    def make() -> bytes:
        contents = (folder / known.name).read_bytes()
        if hashlib.sha256(contents).hexdigest() != known.sha256:
            raise ModelError(f"{folder / known.name} was changed while it was read")
        return _EXPORTS[part](known.name, contents)

    key = f"{part}-{known.sha256}-v{OPENCV_EXPORT_VERSION}"
    return cached(folder, key, make, sha256=_GRAPH_SHA256.get(known.sha256))
