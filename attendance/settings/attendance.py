"""Settings of attendance: what the machine may conclude from what was watched."""

from enum import StrEnum

from pydantic import Field

from attendance.settings.section import Section


class LateFrames(StrEnum):
    """What frames that a camera kept do to a session that is closed."""

    APPLY = "apply"
    PROPOSE = "propose"
    """They change no entry before a person has accepted them."""


class AttendanceSettings(Section):
    """What the machine may conclude from what was watched."""

    settle_minutes: float = Field(
        2, ge=0, le=240, description="Minutes after a session's end in which the last sightings may still arrive."
    )
    required_observation: float = Field(
        0.6,
        gt=0,
        le=1,
        description="Share of a session's minutes that must have been watched before anybody is absent.",
    )
    threshold: int = Field(
        75,
        ge=1,
        le=100,
        description="Percent of the recorded sessions of a course that a student must attend, where the course says "
        "nothing else.",
    )
    late_frames: LateFrames = Field(
        LateFrames.PROPOSE,
        description="What frames that a camera kept do to a closed session: apply, or propose, which asks a person.",
    )
