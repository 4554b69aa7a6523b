"""Decoding AVIF and HEIC in a process of its own, whose memory and time are bounded.

Their decoders are large, and the sizes in a file's boxes say little of what they do: an AVIF of two kilobytes that
declared 100 x 100 pixels took 214 MB, because what is coded inside was larger. A process that holds no secrets and may
not have more memory than a good picture takes settles it, whatever the file says. It takes a tenth of a second.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from attendance.pictures.formats import AVIF, HEIC
from attendance.pictures.headers import CostlyPhotoError, PhotoFileError

MOST_BYTES = 130_000_000
"""Memory that decoding one picture may take beside the program and the file."""
_PROGRAM_BYTES = 60_000_000
"""Of Python with the decoders' libraries, measured: 30 to 45 million, of which most lies in the libraries' data."""
_MOST_SECONDS = 30
_ROOT = Path(__file__).parents[2]
_MODES = ("RGB", "RGBA")


def readable(kind: str) -> bool:
    """Whether pictures of a format can be decoded here: HEIC wants a package that an installation may leave out."""
    return kind != HEIC or importlib.util.find_spec("pillow_heif") is not None


def decode_apart(
    data: bytes, kind: str, *, side: int | None = None, pixels: int | None = None, as_stored: bool = False
) -> Image.Image:
    """Decode an AVIF or HEIC picture, shrunk by a whole number and upright.

    Args:
        data: the file, whose header was looked at.
        kind: `AVIF` or `HEIC`.
        side: pixels that the shorter side keeps, where it has them.
        pixels: in its place, the most pixels left.
        as_stored: drop transparency, before anything is shrunk: colours that nobody sees would fade with it.

    Returns:
        RGB, or RGBA where something is transparent.

    Raises:
        CostlyPhotoError: it takes too much memory or time.
        PhotoFileError: it is damaged, or cannot be decoded here.
    """
    if kind not in (AVIF, HEIC):
        raise ValueError(kind)
    if not readable(kind):
        raise PhotoFileError(f"the {kind} picture cannot be read here: save it as JPEG")
    most_bytes = _PROGRAM_BYTES + MOST_BYTES + 2 * len(data)
    request = {
        "kind": kind,
        "as_stored": as_stored,
        "side": side,
        "pixels": pixels,
        "most_bytes": most_bytes,
        "most_seconds": _MOST_SECONDS,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "attendance.pictures.child"],
            input=json.dumps(request).encode() + b"\n" + data,
            capture_output=True,
            timeout=2 * _MOST_SECONDS,
            cwd="/",
            env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", "")},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CostlyPhotoError(f"the {kind} picture takes too long to open: save it as JPEG") from None
    head, _, body = done.stdout.partition(b"\n")
    try:
        answer = json.loads(head)
        if answer["mode"] not in _MODES:
            raise ValueError(answer["mode"])
        return Image.frombytes(answer["mode"], (answer["width"], answer["height"]), body)
    except (ValueError, KeyError, TypeError):
        pass
    if done.returncode == 0 and head == b"damaged":
        raise PhotoFileError(f"damaged {kind}: it cannot be decoded")
    raise CostlyPhotoError(f"the {kind} picture takes too much memory to open, or is damaged: save it as JPEG")
