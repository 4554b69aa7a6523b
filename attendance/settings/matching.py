"""Settings of matching: when a face is a student, and when a student is present."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from attendance.settings.families import BUILT_IN, Family, FamilyError, FamilyNumbers, custom_numbers, family_of
from attendance.settings.section import Section

_Threshold = Annotated[float, Field(gt=0, le=2)]
_Margin = Annotated[float, Field(ge=0, le=1)]
_Span = Annotated[float, Field(gt=0, le=1)]
_Distance = Annotated[float, Field(ge=0, le=2)]


class Presentation(StrEnum):
    """What becomes of a face that may be a picture of one."""

    HOLD = "hold"
    OFF = "off"


class DistanceSettings(Section):
    """Distances of one family of models, Euclidean; those left out have the family's built-in values."""

    threshold: _Threshold | None = Field(
        None, description="Largest distance at which a face may be a student of the roster."
    )
    campus_threshold: _Threshold | None = Field(
        None, description="The same for a search among all enrolled students (Recognize, not-on-roster)."
    )
    margin: _Margin | None = Field(None, description="How much nearer the best student must be than the runner-up.")
    vote_span: _Span | None = Field(
        None,
        description="A face nearer than the threshold by this much is one whole vote; between the two, a part of one.",
    )
    rejoin_distance: _Distance | None = Field(
        None, description="Largest distance at which faces of one stream are one person wherever they appear."
    )


class MatchingSettings(Section):
    """When a face is a student, and when a student is present."""

    threshold: _Threshold | None = Field(None, description="Former name of matching.dlib.threshold.")
    campus_threshold: _Threshold | None = Field(None, description="Former name of matching.dlib.campus_threshold.")
    margin: _Margin | None = Field(None, description="Former name of matching.dlib.margin.")
    vote_span: _Span | None = Field(None, description="Former name of matching.dlib.vote_span.")
    rejoin_distance: _Distance | None = Field(None, description="Former name of matching.dlib.rejoin_distance.")
    dlib: DistanceSettings = DistanceSettings()
    opencv: DistanceSettings = DistanceSettings()
    custom: DistanceSettings = DistanceSettings()
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
    last_seen_interval_s: float = Field(
        30, ge=0, le=3600, description="How often the last sighting of a present student is stored."
    )

    encode_interval_s: float = Field(
        60,
        ge=0,
        le=600,
        description="How often, in seconds, the face of a confirmed student who stays in place is encoded and compared "
        "again; in between it is told by its place alone, and nothing is recorded. 0: every face of every frame is.",
    )

    presentation: Presentation = Field(
        Presentation.HOLD,
        description="hold: a face that may be that of a photo or a screen confirms nobody, and is shown for a person's "
        "word. off: whatever face is named counts; for demonstrations with pictures only.",
    )
    liveness_model: Path | None = Field(
        None,
        description="An ONNX model that tells faces from pictures (inputs of MiniFASNet: 80 x 80 pixels, BGR). It can "
        "hold a sighting, and clears none.",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for key in self.former_names():
            if getattr(self.dlib, key) is not None:
                raise ValueError(
                    f"matching.{key} is the former name of matching.dlib.{key}, and both are set: remove the former"
                )
        return self

    def former_names(self) -> dict[str, Any]:
        """The distances that are set by the names of before there were families; they mean dlib's."""
        return _given(self)

    def given_for(self, family: Family) -> dict[str, Any]:
        """The distances that are set for a family."""
        own = {Family.DLIB: self.dlib, Family.OPENCV: self.opencv, Family.CUSTOM: self.custom}[family]
        return _given(own) | (self.former_names() if family is Family.DLIB else {})

    def numbers(self, family: Family) -> FamilyNumbers:
        """What depends on a family, with the distances that are set for it.

        Raises:
            FamilyError: of a model of one's own the threshold is not set.
        """
        given = self.given_for(family)
        if family is not Family.CUSTOM:
            return replace(BUILT_IN[family], **given)
        if "threshold" not in given:
            raise FamilyError(
                "of a model of one's own no distances are known: set matching.custom.threshold, and what else does not "
                "fit in proportion to it, or have the thresholds measured by `attendance calibrate --write`"
            )
        return replace(custom_numbers(given["threshold"]), **given)

    def numbers_of(self, model: str) -> FamilyNumbers:
        """The same of the family of an embedding model, by its name."""
        return self.numbers(family_of(model))

    def rules(self, family: Family) -> "MatchingRules":
        """What the service decides by where models of this family are in use.

        Raises:
            FamilyError: as for `numbers`.
        """
        numbers = self.numbers(family)
        return MatchingRules(
            **{field.name: getattr(numbers, field.name) for field in fields(FamilyNumbers)},
            vote_interval_s=self.vote_interval_s,
            confirm_frames=self.confirm_frames,
            confirm_share=self.confirm_share,
            track_gap_s=self.track_gap_s,
            last_seen_interval_s=self.last_seen_interval_s,
            encode_interval_s=self.encode_interval_s,
            presentation=self.presentation,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchingRules(FamilyNumbers):
    """What the service decides by: the numbers of the family in use, and those that are the same for all."""

    vote_interval_s: float
    confirm_frames: int
    confirm_share: float
    track_gap_s: float
    last_seen_interval_s: float
    encode_interval_s: float
    presentation: Presentation


def _given(section: Section) -> dict[str, Any]:
    return section.model_dump(exclude_none=True, include=set(DistanceSettings.model_fields))
