"""Whom a session is for and where it is, in words."""

from attendance.database.audiences import audiences_of, courses_of, rooms_of
from attendance.database.models import ClassSession, Course, CourseGroup, Room


def audience_codes(session: ClassSession, *, with_groups: bool = True) -> str:
    """The codes of a session's courses, with groups: "MAT101 (A, B) + PHY200"."""
    courses, groups = _courses(session), _groups(session) if with_groups else {}
    return " + ".join(_with_groups(courses[course_id].code, groups.get(course_id, [])) for course_id in courses)


def audience_names(session: ClassSession) -> str:
    """The names of a session's courses."""
    return " + ".join(course.name for course in _courses(session).values())


def audience_groups(session: ClassSession) -> str:
    """The groups that a session is for, with their courses where there are several; empty for whole courses."""
    courses, groups = _courses(session), _groups(session)
    if len(courses) == 1:
        return ", ".join(next(iter(groups.values()), []))
    return ", ".join(f"{courses[course_id].code} {name}" for course_id, names in groups.items() for name in names)


def room_names(session: ClassSession) -> str:
    """The names of a session's rooms."""
    return ", ".join(room.name for room in rooms_by_id(session).values())


def rooms_by_id(session: ClassSession) -> dict[int, Room]:
    """A session's rooms by their ids, the first one first."""
    rooms = {session.room_id: session.room} | {each.room_id: each.room for each in session.further_rooms}
    return {room_id: rooms[room_id] for room_id in rooms_of(session)}


def only_course(session: ClassSession) -> int | None:
    """The id of the only course that a session is for; None for a joint one."""
    courses = courses_of(session)
    return courses[0] if len(courses) == 1 else None


def _courses(session: ClassSession) -> dict[int, Course]:
    courses = {session.course_id: session.course} | {each.course_id: each.course for each in session.further_audiences}
    return {course_id: courses[course_id] for course_id in courses_of(session)}


def _groups(session: ClassSession) -> dict[int, list[str]]:
    """By course, the names of those of its groups that the session is for."""
    groups: dict[int | None, CourseGroup | None] = {session.group_id: session.group}
    groups |= {each.group_id: each.group for each in session.further_audiences}
    found: dict[int, list[str]] = {}
    for audience in audiences_of(session):
        group = groups[audience.group_id]
        if group is not None:
            found.setdefault(audience.course_id, []).append(group.name)
    return found


def _with_groups(code: str, groups: list[str]) -> str:
    return f"{code} ({', '.join(groups)})" if groups else code
