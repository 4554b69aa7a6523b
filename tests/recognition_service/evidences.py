"""What confirmed somebody, made up."""

import itertools
from dataclasses import replace
from datetime import timedelta

from attendance.database.evidence import Evidence, FrameEvidence
from tests.factories import NINE

_number = itertools.count(1)


def make_evidence(session: int = 1, student: str = "s1", **values: object) -> Evidence:
    """Evidence of three frames, with a uid of its own."""
    frames = tuple(
        FrameEvidence(NINE + timedelta(seconds=second), round(0.4 + second / 100, 2), None, 1.0, 84.0, 120.0)
        for second in range(3)
    )
    made = Evidence(
        uid=f"00000000-0000-4000-8000-{next(_number):012d}",
        session_id=session,
        index_number=student,
        camera_id=None,
        index_version="v1",
        threshold=0.55,
        distance=0.41,
        margin=0.2,
        confidence=0.9,
        frames=3,
        first_frame_at=NINE,
        last_frame_at=NINE + timedelta(seconds=2, microseconds=1),
        details=frames,
    )
    return replace(made, **values)  # type: ignore[arg-type]
