"""What templates can call: filters and functions that every page and macro finds."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask, current_app
from wtforms import Field

from attendance.database.models import HeldReason, Source, Status, Unrecorded
from attendance.texts import english
from webapp.tools.class_sessions.phases import PHASE_WORDS
from webapp.tools.class_sessions.words import audience_codes, audience_groups, audience_names, only_course, room_names
from webapp.tools.icons import ICONS
from webapp.tools.languages import percent_text, say
from webapp.tools.names import name_key
from webapp.tools.paging import page_address

UNRECORDED = "unrecorded"
# A `Status`, or what a register shows of a student who has none.
STATE_WORDS = {
    "present": english("Present"),
    "late": english("Late"),
    "absent": english("Absent"),
    "excused": english("Excused"),
    "unseen": english("Not yet seen"),
    "scheduled": english("Scheduled"),
    UNRECORDED: english("Not recorded"),
}

# Why nothing is recorded, after "Not recorded: "; the keys are also what exports say.
UNRECORDED_WORDS = {
    Unrecorded.UNWATCHED: english("the room was not watched"),
    Unrecorded.UNRECOGNISABLE: english("the cameras could not recognise this student"),
    Unrecorded.UNNAMED: english("people were seen who could not be named"),
    Unrecorded.ENTERED_LATE: english("the session was entered after its end"),
    Unrecorded.HELD: english("a sighting was held, and nobody has accepted it"),
}

# Why a sighting is held: each a sentence.
HELD_WORDS = {
    HeldReason.COPY_OF_PHOTO: english("The face was as good as identical to an enrolment photo."),
    HeldReason.SAME_PICTURE: english("The same picture came again and again."),
    HeldReason.NO_VARIANCE: english("The face did not change as a living one does."),
    HeldReason.PLANE: english("Face and background moved together, as on a sheet of paper."),
    HeldReason.SCREEN: english("There was a bright frame around the face, as of a screen."),
    HeldReason.TWO_ROOMS: english("The student was seen in two rooms at the same time."),
    HeldReason.ONE_SPOT: english("Many students were seen one after the other at the same spot."),
    HeldReason.LIVENESS_MODEL: english("A model that tells living faces from pictures took it for a picture."),
    HeldReason.LATE: english("The pictures came after the session was closed."),
}

_HIGH, _MEDIUM, _LOW = english("High"), english("Medium"), english("Low")
_PERSON, _CAMERA, _AUTOMATIC = english("Person"), english("Camera"), english("Automatic")

STATUS_VALUES = frozenset(status.value for status in Status)


def init_template_tools(app: Flask) -> None:
    """Add the filters and functions, also to macros imported without context."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        audience_codes=audience_codes,
        audience_names=audience_names,
        audience_groups=audience_groups,
        only_course=only_course,
        room_names=room_names,
        initials=initials,
        percent=percent,
        confidence=confidence_text,
        name_key=name_key,
        source_word=source_word,
    )
    app.jinja_env.globals.update(
        current_app=current_app,
        field_attributes=field_attributes,
        icons=ICONS,
        page_address=page_address,
        phase_words=PHASE_WORDS,
        state_words=STATE_WORDS,
        unrecorded_words=UNRECORDED_WORDS,
    )


def initials(name: str) -> str:
    """The first letters of a name's first and last word, capital."""
    words = name.split()
    return "".join(word[0] for word in dict.fromkeys((words[0], words[-1]))).upper() if words else "?"


def percent(share: float | None) -> str:
    """A share from 0 to 1 as "86%"; a dash for none."""
    return "\u2013" if share is None else percent_text(whole_percent(share))


def whole_percent(share: float) -> int:
    """A share from 0 to 1 in whole percent, 0 to 100; rounded down, so that only all of them is 100."""
    return int(share * 100 + 1e-9)


def confidence_text(value: float | None) -> str:
    """How sure the machine was, in a word and a percentage: "High · 94%".

    The bounds (0.8, 0.6) only choose the word; whether a face counts is the matching thresholds' decision.
    """
    if value is None:
        return ""
    word = _HIGH if value >= 0.8 else _MEDIUM if value >= 0.6 else _LOW
    return f"{say(word)} · {percent(value)}"


def source_word(row: Any) -> str:
    """Who decided a status, in a word: for anything with `source` and `first_seen`."""
    if row.source is None:
        return ""
    if row.source is Source.PERSON:
        return say(_PERSON)
    return say(_CAMERA if row.first_seen else _AUTOMATIC)


def field_attributes(field: Field, described_by: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """HTML attributes of a form control: what it is described by, whether it is wrong, and what the caller adds."""
    attributes = dict(given)
    if described_by:
        attributes["aria_describedby"] = " ".join(described_by)
    if field.errors:
        attributes["aria_invalid"] = "true"
    return attributes
