"""What a face of a frame was taken for: the types that matching makes, and that metrics and replies read."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from attendance.database.watching.observation import MinuteCounts
from attendance.face_engine.interface import DetectedFace, Face


class MatchKind(StrEnum):
    """What a face was found to be."""

    STUDENT = "student"
    UNKNOWN = "unknown"
    AMBIGUOUS = "ambiguous"
    NOT_ON_ROSTER = "not_on_roster"
    TOO_SMALL = "too_small"
    """Smaller than the smallest face that may be named: counted, and nothing else."""
    FOLLOWED = "followed"
    """Not encoded in this frame, as it stays where a student was confirmed: it was compared with nobody."""


@dataclass(frozen=True, slots=True)
class FaceMatch:
    """Whom one face was matched with."""

    kind: MatchKind
    student: str | None
    """Index number when `kind` is STUDENT, None otherwise."""
    distance: float
    """Euclidean distance to the nearest student searched; infinite when there is none."""
    runner_up: float
    """Distance to the next nearest student; infinite when there is none."""
    nearest: str | None = None
    """The nearest student, named or not: evidence for the vote, never shown or logged."""
    rival: str | None = None
    """The next nearest student."""
    others: float = field(default=0.0, compare=False)
    """From a search that named a student: no other student of the whole gallery is nearer than this, counted or not."""


STRANGER = FaceMatch(MatchKind.UNKNOWN, None, math.inf, math.inf)
"""A face that is like nobody, or could not be compared."""
TOO_SMALL = FaceMatch(MatchKind.TOO_SMALL, None, math.inf, math.inf)
"""A face that was compared with nobody, because of its size."""
FOLLOWED = FaceMatch(MatchKind.FOLLOWED, None, math.inf, math.inf)
"""A face that was compared with nobody, because of its place."""


def width_of(face: Face | DetectedFace) -> float:
    """Of its box, pixels of the frame."""
    return float(face.box[2] - face.box[0])


@dataclass(frozen=True, slots=True)
class SeenFace:
    """One face of a frame, and what it was taken for."""

    face: Face | DetectedFace
    """Encoded or not."""
    match: FaceMatch
    track: int
    """Number of the track in its stream; 0 for a face whose encoding is unusable."""
    confirmed: bool
    """Whether the face's student is confirmed by this face's evidence, so that attendance is recorded."""
    known: bool = False
    """Whether this face's person was confirmed as a student at any time in the stream, whatever this frame says."""
    everywhere: bool = False
    """Whether its student is confirmed in every session that the student counts in at that moment."""


_NOT_NAMED = frozenset({MatchKind.TOO_SMALL, MatchKind.UNKNOWN, MatchKind.AMBIGUOUS})


def counts_of(faces: Iterable[SeenFace]) -> MinuteCounts:
    """Count the faces of one frame.

    Named are those matched with a student of the roster, and those of persons who were confirmed before and turn away,
    or are not encoded because they stay where they are.
    An enrolled student of another class is neither: nobody of this class went unnamed there.
    """
    seen = named = too_small = unknown = unnamed = 0
    for face in faces:
        kind = face.match.kind
        seen += 1
        if kind is MatchKind.STUDENT or face.known:
            named += 1
        elif kind in _NOT_NAMED:
            unnamed += 1
            too_small += kind is MatchKind.TOO_SMALL
            unknown += kind is MatchKind.UNKNOWN
    return MinuteCounts(seen, named, too_small, unknown, unnamed)
