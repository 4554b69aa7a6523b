"""Which class sessions a frame counts for, by its room's timetable and its capture time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from attendance.database.timetable import SessionPlan


class Plans(Protocol):
    """Knows what is taught in rooms."""

    def plans(self, room_id: int, capture_time: datetime) -> Sequence[SessionPlan]:
        """The sessions of a room that may count at a time, by start; some may turn out not to."""
        ...


@dataclass(frozen=True, slots=True)
class FramePlan:
    """The sessions that count at one moment in one room."""

    sessions: tuple[SessionPlan, ...]
    """Those running, then those in their early-entry window, each by start; never empty."""
    running: int
    """How many of them run."""
    roster: frozenset[str]
    """The students of all of them."""
    guests: frozenset[str] = frozenset()
    """Who may be seen there without being expected in any."""

    @property
    def session_id(self) -> int:
        """The session that the frame belongs to first of all."""
        return self.sessions[0].session_id

    def sessions_of(self, student: str) -> tuple[SessionPlan, ...]:
        """Where a student counts: in every running session of theirs, or else in the first that is about to start.

        A guest is one of those that run, and of none before it does.
        """
        if student not in self.roster:
            return tuple(plan for plan in self.sessions[: self.running] if student in plan.guests)
        running = tuple(plan for plan in self.sessions[: self.running] if student in plan.roster)
        return running or tuple(plan for plan in self.sessions[self.running :] if student in plan.roster)[:1]


def frame_plan(plans: Sequence[SessionPlan], capture_time: datetime) -> FramePlan | None:
    """Choose the sessions that count at a moment: from `early_minutes` before the start until just before the end."""
    running = [plan for plan in plans if plan.starts_at <= capture_time < plan.ends_at]
    early = [plan for plan in plans if plan.opens_at <= capture_time < plan.starts_at]
    chosen = tuple(sorted(group, key=lambda plan: (plan.starts_at, plan.session_id)) for group in (running, early))
    sessions = (*chosen[0], *chosen[1])
    if not sessions:
        return None
    roster = frozenset[str]().union(*(plan.roster for plan in sessions))
    guests = frozenset[str]().union(*(plan.guests for plan in sessions))
    return FramePlan(sessions, len(running), roster, guests - roster)
