"""What became of a camera's frames, and how a person reads it."""

import statistics
from collections import Counter, deque
from dataclasses import dataclass, field

from protos.attendance.v1 import attendance_pb2 as pb

_RECENT = 10_000
_PREFIX = "FRAME_OUTCOME_"


def outcome_name(outcome: int) -> str:
    """An outcome for logs and people, e.g. "no_session"; "unknown_17" for one of a newer service."""
    name = pb.FrameOutcome.Name(outcome) if outcome in pb.FrameOutcome.values() else f"{_PREFIX}UNKNOWN_{outcome}"
    return name.removeprefix(_PREFIX).lower()


@dataclass(slots=True)
class Counts:
    """What became of the frames of one run.

    Attributes:
        sent: frames sent, each time they were.
        resent: of those, the ones that had been sent before.
        outcomes: answers, by outcome.
        details: what the service last said about frames of an outcome that is not "recognized".
        lost: sent, but the connection ended before the answer, and not sent again.
        given_up: not dealt with after the allowed number of times.
        connections: streams that the service opened.
        failures: connections that failed, or could not be made.
        replayed: answers to frames that had been spooled.
        clock_ahead_s: how far the camera's clock was ahead of the service's when the last stream was opened, seconds.
        faces: faces that the service found.
        recognized: of those, the ones matched with a student.
        too_small: of those, the ones smaller than what the service's models can tell apart.
        followed: of those, the ones that stayed where a student had been confirmed, and were not compared again.
        confirmed: students that the service confirmed; numbers of students do not belong in logs.
        round_trips: latest times from sending to answer, seconds.
    """

    sent: int = 0
    resent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    details: dict[str, str] = field(default_factory=dict)
    lost: int = 0
    given_up: int = 0
    connections: int = 0
    failures: int = 0
    replayed: int = 0
    clock_ahead_s: float | None = None
    faces: int = 0
    recognized: int = 0
    too_small: int = 0
    followed: int = 0
    confirmed: set[str] = field(default_factory=set)
    round_trips: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def reconnects(self) -> int:
        """Streams opened after the first."""
        return max(0, self.connections - 1)

    @property
    def answered(self) -> int:
        """Answers received."""
        return self.outcomes.total()

    def answer(self, result: pb.FrameResult, round_trip_s: float, detail: str) -> None:
        """Count the answer to a frame.

        Args:
            result: the answer.
            round_trip_s: from sending the frame to its answer, seconds.
            detail: the answer's sentence for a person, as it may be shown.
        """
        outcome = outcome_name(result.outcome)
        self.outcomes[outcome] += 1
        if detail:
            self.details[outcome] = detail
        self.round_trips.append(round_trip_s)
        self.faces += len(result.faces)
        for face in result.faces:
            self.recognized += face.match == pb.MATCH_STUDENT
            self.too_small += face.match == pb.MATCH_TOO_SMALL
            self.followed += face.match == pb.MATCH_FOLLOWED
            if face.confirmed and face.student:
                self.confirmed.add(face.student)

    def as_event(self) -> dict[str, object]:
        """The counts as fields of a log event."""
        return {
            "sent": self.sent,
            "resent": self.resent,
            "outcomes": dict(self.outcomes),
            "replayed": self.replayed,
            "lost": self.lost,
            "given_up": self.given_up,
            "reconnects": self.reconnects,
            "faces": self.faces,
            "recognized": self.recognized,
            "too_small": self.too_small,
            "followed": self.followed,
            "students_confirmed": len(self.confirmed),
            "latency_ms": self._latency_ms(),
            "clock_ahead_s": self.clock_ahead_s,
        }

    def line(self) -> str:
        """The counts in one line for a terminal."""
        median = self._latency_ms().get("p50")
        latency = "" if median is None else f", answered within {median} ms (median)"
        known = f" and {self.followed} known by their place" if self.followed else ""
        return (
            f"{self.sent} frames sent, answers: {_listed(self.outcomes)}; "
            f"{self.recognized} of {self.faces} faces matched{known}, {len(self.confirmed)} students confirmed{latency}"
        )

    def summary(self, *, captured: int, dropped: int, left: int, seconds: float) -> str:
        """The end of a run, for a person.

        Args:
            captured: frames that the source gave.
            dropped: of those, the ones replaced by newer ones before they were sent.
            left: of those, the ones that still waited to be sent at the end.
            seconds: how long the run took.
        """
        latency = self._latency_ms()
        shown = f"{latency['p50']} ms median, {latency['p95']} ms at the 95th percentile" if latency else "no answer"
        lines = [
            f"Frames captured      {captured} in {seconds:.1f} s",
            f"Frames sent          {self.sent}" + (f" ({self.resent} of them again)" if self.resent else ""),
            f"Answers              {self.answered} ({_listed(self.outcomes)})",
            f"Not sent, too old    {dropped}",
            f"Lost, never answered {self.lost + self.given_up + left}",
            f"Reconnects           {self.reconnects}",
            f"Faces                {self.faces}, of which {self.recognized} matched with a student"
            + (f", {self.followed} stayed where a student was confirmed" if self.followed else "")
            + (f" and {self.too_small} were too small to be named" if self.too_small else ""),
            f"Students confirmed   {len(self.confirmed)}",
            f"Time to the answer   {shown}",
            f"Clock                {_clock(self.clock_ahead_s)}",
            *(f"The service on {outcome}: {detail}" for outcome, detail in sorted(self.details.items())),
        ]
        return "\n".join(lines)

    def _latency_ms(self) -> dict[str, int]:
        if not self.round_trips:
            return {}
        ordered = sorted(self.round_trips)
        last = len(ordered) - 1
        return {
            "p50": round(1000 * statistics.median(ordered)),
            "p95": round(1000 * ordered[min(last, round(0.95 * last))]),
        }


def _clock(ahead_s: float | None) -> str:
    if ahead_s is None:
        return "not compared with the service's"
    return f"{abs(ahead_s):.1f} s {'behind' if ahead_s < 0 else 'ahead of'} the service's"


def _listed(outcomes: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in outcomes.most_common()) or "none"
