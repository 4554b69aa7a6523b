"""Who takes part in the demo, and where their faces are in the pictures.

Four people keep their own names; the six of the group picture were given invented ones.
"""

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Portrait:
    """A face in a picture: the centre of the face and the width of the head-and-shoulders cut around it, in pixels."""

    picture: str
    centre: tuple[int, int]
    width: int


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the demo."""

    index_number: str
    name: str
    photos: tuple[Portrait, ...]
    """What the person is enrolled from; empty for a stranger."""
    seen: Portrait | None
    """How the camera sees the person; None: never comes."""
    arrives_s: float = 0.0
    """Seconds after the first frame."""
    leaves_s: float = math.inf
    """The same."""


def _group(centre: tuple[int, int], width: int = 196) -> Portrait:
    return Portrait("t1.jpg", centre, width)


_OBAMA = (Portrait("obama.jpg", (483, 275), 640), Portrait("obama2.jpg", (304, 424), 600))
_BIDEN = (Portrait("biden.jpg", (580, 400), 760),)
_COLLINS = Portrait("astronaut.png", (220, 121), 190)
_HANKS = Portrait("Tom_Hanks_54745.png", (51, 60), 112)

ON_TIME = (
    Person("240101", "Barack Obama", _OBAMA, Portrait("obama3.jpg", (794, 460), 600), 1),
    Person("240102", "Eileen Collins", (_COLLINS,), _COLLINS, 4),
    Person("240103", "Marta Zielińska", (_group((121, 336)),), _group((121, 336)), 7),
    Person("240104", "Aoife Byrne", (_group((320, 220)),), _group((320, 220)), 10),
    Person("240105", "Jonas Lindqvist", (_group((504, 348)),), _group((504, 348)), 13),
    Person("240106", "Tomás Herrera", (_group((934, 131), 210),), _group((934, 131), 210), 16),
)
LATE = (Person("240107", "Tom Hanks", (_HANKS,), _HANKS, 32),)
ABSENT = (Person("240108", "Joe Biden", _BIDEN, None),)
UNRECOGNISABLE = (Person("240109", "Ingrid Solberg", (), None),)
"""On the roster, and never photographed: no camera can say that she is absent."""
OTHER_COURSE = (Person("240201", "Luca Moretti", (_group((778, 420)),), _group((778, 420)), 6),)
"""Enrolled at the university, but not in the course that the camera sees."""
STRANGERS = (Person("", "a stranger", (), _group((1172, 336)), 9),)

ROSTER = ON_TIME + LATE + ABSENT + UNRECOGNISABLE
STUDENTS = ROSTER + OTHER_COURSE
ENROLLED = tuple(person for person in STUDENTS if person.photos)
VISIBLE = tuple(person for person in STUDENTS + STRANGERS if person.seen is not None)
LENGTH_S = 45.0
"""The clip's frames cover so many seconds."""
FRAMES_PER_SECOND = 2.0

GRACE_MINUTES = 4
"""Of the demo's class, which starts with the first frame. Who arrives later is late: the room was watched for most of
the five minutes before."""
CLASS_LENGTH_S = 320.0
"""The demo's class is watched for so many seconds; it is played faster."""
CLASS_FRAMES_PER_SECOND = 0.5
CLASS_ON_TIME = ON_TIME[:4]
CLASS_ABSENT = ABSENT + ON_TIME[4:]
"""More than twice as many as people who are seen and cannot be named: otherwise nobody could be said to be absent."""
CLASS_VISIBLE = (
    *CLASS_ON_TIME,
    *(replace(person, arrives_s=252) for person in LATE),
    *(replace(person, leaves_s=60) for person in OTHER_COURSE + STRANGERS),
)
"""Who does not belong to the class only looks in."""
