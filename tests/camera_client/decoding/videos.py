"""Real videos made here by FFmpeg (PyAV): of many codecs, interlaced and not, and damaged."""

import random
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from tests.camera_client.moving_pictures import picture

if TYPE_CHECKING:
    import av

SIZE = (320, 240)
FPS = 25


def encode(path: Path, codec: str, frames: int, *, interlaced: bool = False, moving: bool = True) -> Path:
    """A video whose picture n is `picture(n)`; 12 pictures from one that stands alone to the next."""
    import av  # noqa: PLC0415 - an extra
    from av.codec.context import Flags  # noqa: PLC0415

    options = {"x264-params": "interlaced=1:tff=1"} if interlaced and codec == "libx264" else {}
    with av.open(str(path), "w") as file:
        stream = cast("av.VideoStream", file.add_stream(codec, rate=FPS, options=options))
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = 12
        stream.bit_rate = 2_000_000
        if interlaced:
            stream.codec_context.flags |= int(Flags.interlaced_dct | Flags.interlaced_me)
        for number in range(frames):
            image = picture(number if moving else 7, SIZE)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(_rgb(image), format="rgb24")))
        file.mux(stream.encode())
    return path


def _rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(image[:, :, ::-1])


def damaged(path: Path, first: float = 0.4, last: float = 0.5) -> Path:
    """A copy with noise between two shares of its length."""
    content = bytearray(path.read_bytes())
    begins, ends = (int(share * len(content)) for share in (first, last))
    content[begins:ends] = random.Random(1).randbytes(ends - begins)
    copy = path.with_stem(f"{path.stem}-damaged")
    copy.write_bytes(content)
    return copy


def cut(path: Path, share: float = 0.6) -> Path:
    """A copy of its beginning."""
    content = path.read_bytes()
    copy = path.with_stem(f"{path.stem}-cut")
    copy.write_bytes(content[: int(share * len(content))])
    return copy
