"""Settings of matching: when a face is a student, and when a student is present."""

from pydantic import Field

from attendance.settings.section import Section


class MatchingSettings(Section):
    """When a face is a student, and when a student is present."""

    threshold: float = Field(
        0.55, gt=0, le=2, description="Largest Euclidean distance at which a face may be a student of the roster."
    )
    campus_threshold: float = Field(
        0.5, gt=0, le=2, description="The same for a search among all enrolled students (Recognize, not-on-roster)."
    )
    margin: float = Field(0.04, ge=0, le=1, description="How much nearer the best student must be than the runner-up.")
    vote_span: float = Field(
        0.05,
        gt=0,
        le=1,
        description="A face nearer than the threshold by this much is one whole vote; between the two, a part of one.",
    )
    vote_interval_s: float = Field(
        0.25,
        ge=0,
        le=60,
        description="Frames of a face nearer in time than this are one piece of evidence, however many they are.",
    )
    confirm_frames: int = Field(
        3, ge=1, le=50, description="Votes of one face that confirm a student; at least as many frames."
    )
    confirm_share: float = Field(
        0.6, gt=0.5, le=1, description="Share of a face's votes that must be for the student who is confirmed."
    )
    track_gap_s: float = Field(
        3.0, gt=0, le=60, description="How long a face may be out of sight and still go on as the same track."
    )
    rejoin_distance: float = Field(
        0.45,
        ge=0,
        le=1,
        description="Largest Euclidean distance at which faces of one stream are one person wherever they appear.",
    )
    last_seen_interval_s: float = Field(
        30, ge=0, le=3600, description="How often the last sighting of a present student is stored."
    )
