"""From what the service computes to the messages of the contract."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
from google.protobuf.duration_pb2 import Duration
from numpy.typing import NDArray

from attendance.face_engine.interface import DetectedFace, Face
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.errors import ServiceError
from recognition_service.evidence.seen import FaceMatch, MatchKind, SeenFace

_MATCHES = {
    MatchKind.STUDENT: pb.MATCH_STUDENT,
    MatchKind.UNKNOWN: pb.MATCH_UNKNOWN,
    MatchKind.AMBIGUOUS: pb.MATCH_AMBIGUOUS,
    MatchKind.NOT_ON_ROSTER: pb.MATCH_NOT_ON_ROSTER,
    MatchKind.TOO_SMALL: pb.MATCH_TOO_SMALL,
    MatchKind.FOLLOWED: pb.MATCH_FOLLOWED,
}


def outcome_name(outcome: int) -> str:
    """An outcome as metrics and traces name it, e.g. "no_session"."""
    return pb.FrameOutcome.Name(pb.FrameOutcome.ValueType(outcome)).removeprefix("FRAME_OUTCOME_").lower()


def recognized_frame(sequence: int, session_id: int, seen: Sequence[SeenFace]) -> pb.FrameResult:
    """The result of a frame in which faces were looked for."""
    faces = [
        recognized_face(item.face, item.match, track=item.track, confirmed=item.confirmed)
        for item in sorted(seen, key=lambda item: -item.face.score)
    ]
    return pb.FrameResult(sequence=sequence, outcome=pb.FRAME_OUTCOME_RECOGNIZED, faces=faces, session_id=session_id)


def refused_frame(sequence: int, error: ServiceError, session_id: int = 0) -> pb.FrameResult:
    """The result of a frame that has none."""
    return pb.FrameResult(sequence=sequence, outcome=error.outcome, detail=str(error), session_id=session_id)


def recognized_face(
    face: Face | DetectedFace, match: FaceMatch, *, track: int = 0, confirmed: bool = False
) -> pb.RecognizedFace:
    """One face and whom it was matched with."""
    return pb.RecognizedFace(
        box=bounding_box(face.box),
        score=face.score,
        match=_MATCHES[match.kind],
        student=match.student or "",
        distance=match.distance,
        track=track,
        confirmed=confirmed,
    )


def encoded_face(face: Face) -> pb.EncodedFace:
    """One face with its encoding."""
    return pb.EncodedFace(
        box=bounding_box(face.box),
        score=face.score,
        landmarks=[pb.Point(x=float(x), y=float(y)) for x, y in face.landmarks],
        encoding=face.encoding.tolist(),
        sharpness=face.sharpness,
    )


def bounding_box(box: NDArray[np.float32]) -> pb.BoundingBox:
    """A box of shape (4,): left, top, right, bottom, pixels."""
    left, top, right, bottom = (float(edge) for edge in box)
    return pb.BoundingBox(left=left, top=top, right=right, bottom=bottom)


def duration(seconds: float) -> Duration:
    """A protobuf duration."""
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message
