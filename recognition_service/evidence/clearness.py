"""Clearness: how much a face's size and sharpness let it say, as a factor from 0.25 to 1 on its vote.

Sharpness is the variance of the Laplacian of the aligned face (`measure_sharpness` of the face engine; Pech-Pacheco et
al., ICPR 2000). It is taken where the pixels are, of the chip that is encoded anyway, and is normalised for size as all
chips have one size: a small face enlarged to it is as soft as a large one out of focus, and is as hard to know.

Five photos of four people, made smaller (0.18 to 1) and blurred (sigma 0 to 4 pixels), and the distance of their
encodings from that of the photo itself (98 faces, the accelerated engine, upsampled once): median, and largest
    sharpness    over 20       10 to 20      4 to 10       2 to 4        under 2
    distance     0.08, 0.26    0.22, 0.33    0.33, 0.43    0.41, 0.50    0.58, 0.71

The distances are dlib's. From a sharpness of 10 on a face keeps well within its usual threshold for a roster; far under
it, the picture decides more than the person does. SFace's chips are three times as sharp by this measure, and its
encodings keep as far within their threshold from 30 on (`python -m benchmarks.family_sizes`). From which size and
sharpness on a face counts in full therefore depends on the models in use (`attendance.settings.families`). Sharpness
cannot tell detail from a dark room's noise, so width has its own factor; the smaller of the two counts, not their
product, as a small face is soft too and would be held to account twice.

A factor weighs what a frame says for a student and against one alike. It changes how many frames it takes, not how
sure they must be.
"""

from dataclasses import dataclass

from attendance.settings.families import DLIB

LEAST = 0.25
"""What the least face counts: it takes four times the frames, yet the last row of a large room is confirmed too."""


@dataclass(frozen=True, slots=True)
class ClearFrom:
    """From what on a face counts in full."""

    width: float
    """Pixels."""
    sharpness: float


_WITH_DLIB = ClearFrom(DLIB.clear_width, DLIB.clear_sharpness)


@dataclass(frozen=True, slots=True)
class View:
    """How well a face was seen in one frame."""

    width: float
    """Of its box, pixels of the frame."""
    sharpness: float
    """Variance of the Laplacian of its chip."""
    clear_from: ClearFrom = _WITH_DLIB

    @property
    def clearness(self) -> float:
        """The factor on its vote, from `LEAST` to 1; what is no number counts least."""
        width, sharpness = self.width / self.clear_from.width, self.sharpness / self.clear_from.sharpness
        return min(1.0, width, sharpness) if width > LEAST and sharpness > LEAST else LEAST


CLEAR = View(_WITH_DLIB.width, _WITH_DLIB.sharpness)
"""A face that counts in full, and no more."""
