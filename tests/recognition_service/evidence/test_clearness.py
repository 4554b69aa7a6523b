import math

import numpy as np
import pytest

from recognition_service.evidence.clearness import CLEAR, LEAST, View


@pytest.mark.parametrize(
    ("width", "sharpness", "factor"),
    [
        (80, 100, 1.0),
        (300, 5000, 1.0),
        (60, 10, 1.0),
        (30, 100, 0.5),
        (100, 5, 0.5),
        (30, 5, 0.5),  # a small face is soft: not held to account twice
        (3, 100, LEAST),
        (100, 0, LEAST),
        (0, 0, LEAST),
        (-5, 10, LEAST),
        (math.nan, 100, LEAST),
        (100, math.nan, LEAST),
    ],
)
def test_small_and_blurred_faces_count_less(width: float, sharpness: float, factor: float) -> None:
    assert View(width, sharpness).clearness == pytest.approx(factor)


def test_clearness_grows_with_size_and_sharpness_and_is_bounded() -> None:
    factors = np.array([[View(width, sharpness).clearness for width in range(0, 200, 5)] for sharpness in range(60)])
    assert (np.diff(factors, axis=0) >= 0).all()
    assert (np.diff(factors, axis=1) >= 0).all()
    assert (factors.min(), factors.max()) == (LEAST, CLEAR.clearness)
