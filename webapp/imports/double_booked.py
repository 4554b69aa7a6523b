"""Students whom a timetable expects in two sessions at once."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.audiences import TAKES_PLACE, Audience, students_of
from attendance.database.models import ClassSession, Course, SessionAudience, Student
from attendance.texts import english, english_count, english_list
from webapp.tools.class_sessions.schedule import Slot, slot_text

_SHOWN = 5
_Planned = tuple[Slot, frozenset[Audience]]


def students_in_two_places(
    db: Session, planned: Sequence[_Planned], claimed: Collection[int], zone: ZoneInfo
) -> list[str]:
    """Notes that name who is expected in two sessions at once, the first of them.

    Args:
        db: any session.
        planned: when a file's sessions are, and for whom.
        claimed: ids of the sessions that the file describes, so that these do not count twice.
        zone: the institution's.
    """
    if not planned:
        return []
    others = _others(db, planned, claimed)
    pairs = _overlapping(set(planned) | others, {audiences for _, audiences in planned})
    rosters: dict[frozenset[Audience], frozenset[int]] = {}
    found: dict[int, tuple[Slot, frozenset[Audience], frozenset[Audience]]] = {}
    for (first, second), slot in sorted(pairs.items(), key=lambda pair: pair[1].starts_at):
        for student in sorted(_roster(db, first, rosters) & _roster(db, second, rosters)):
            found.setdefault(student, (slot, first, second))
    return _notes(db, found, zone)


def _notes(
    db: Session, found: dict[int, tuple[Slot, frozenset[Audience], frozenset[Audience]]], zone: ZoneInfo
) -> list[str]:
    if not found:
        return []
    shown = list(found)[:_SHOWN]
    names = {row[0]: row[1:] for row in db.execute(
        sa.select(Student.id, Student.name, Student.index_number).where(Student.id.in_(shown))
    )}  # fmt: skip
    courses = {audience.course_id for _, *both in found.values() for audiences in both for audience in audiences}
    codes = dict(db.execute(sa.select(Course.id, Course.code).where(Course.id.in_(courses))).all())
    lines = []
    for student in shown:
        slot, first, second = found[student]
        one, other = (
            " + ".join(sorted({codes[audience.course_id] for audience in each}))
            for each in sorted((first, second), key=lambda each: sorted(map(str, each)))
        )
        name, number = names[student]
        lines.append(
            english(
                "%(name)s (%(number)s): %(one)s and %(other)s on %(slot)s",
                name=name,
                number=number,
                one=one,
                other=other,
                slot=slot_text(slot, zone),
            )
        )
    named = english_list("; ", lines)
    if len(found) > len(shown):
        named = english("%(students)s; and %(more)s more", students=named, more=len(found) - len(shown))
    return [
        english_count(
            "%(num)s student is expected in two sessions at once: %(students)s.",
            "%(num)s students are expected in two sessions at once: %(students)s.",
            len(found),
            students=named,
        )
    ]


def _others(db: Session, planned: Sequence[_Planned], claimed: Collection[int]) -> set[_Planned]:
    """The sessions of the database between the first and the last that are planned."""
    near = (
        TAKES_PLACE,
        ClassSession.ends_at > min(slot.starts_at for slot, _ in planned),
        ClassSession.starts_at < max(slot.ends_at for slot, _ in planned),
    )
    audiences: defaultdict[int, set[Audience]] = defaultdict(set)
    slots: dict[int, Slot] = {}
    for row in db.execute(
        sa.select(
            ClassSession.id,
            ClassSession.starts_at,
            ClassSession.ends_at,
            ClassSession.course_id,
            ClassSession.group_id,
        ).where(*near)
    ):
        slots[row.id] = Slot(row.starts_at, row.ends_at)
        audiences[row.id].add(Audience(row.course_id, row.group_id))
    further = sa.select(SessionAudience.session_id, SessionAudience.course_id, SessionAudience.group_id)
    further = further.join(ClassSession, ClassSession.id == SessionAudience.session_id).where(*near)
    for session_id, course_id, group_id in db.execute(further):
        audiences[session_id].add(Audience(course_id, group_id))
    return {(slots[number], frozenset(of)) for number, of in audiences.items() if number not in claimed}


def _overlapping(
    sessions: Iterable[_Planned], of_file: Collection[frozenset[Audience]]
) -> dict[tuple[frozenset[Audience], frozenset[Audience]], Slot]:
    """Pairs of audiences, one of them the file's, that have sessions at one time, with the first such time."""
    pairs: dict[tuple[frozenset[Audience], frozenset[Audience]], Slot] = {}
    running: list[_Planned] = []
    for slot, audiences in sorted(sessions, key=_in_order):
        running = [one for one in running if one[0].ends_at > slot.starts_at]
        for _, other in running:
            if other != audiences and (other in of_file or audiences in of_file):
                first, second = sorted((other, audiences), key=lambda each: sorted(map(str, each)))
                pairs.setdefault((first, second), slot)
        running.append((slot, audiences))
    return pairs


def _in_order(one: _Planned) -> tuple[datetime, datetime, list[str]]:
    slot, audiences = one
    return slot.starts_at, slot.ends_at, sorted(map(str, audiences))


def _roster(
    db: Session, audiences: frozenset[Audience], known: dict[frozenset[Audience], frozenset[int]]
) -> frozenset[int]:
    if audiences not in known:
        known[audiences] = frozenset(
            student for audience in audiences for student in db.scalars(students_of(audience)) if audience.course_id > 0
        )
    return known[audiences]
