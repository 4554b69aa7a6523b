"""The administrator's pages: people, courses, rooms, cameras, the timetable, and CSV imports."""

from webapp.admin import (
    breaks,
    cameras,
    courses,
    enrolling,
    enrolments,
    groups,
    home,
    importing,
    lecturers,
    links,
    rooms,
    sessions,
    students,
)
from webapp.admin.blueprint import blueprint

__all__ = [
    "blueprint",
    "breaks",
    "cameras",
    "courses",
    "enrolling",
    "enrolments",
    "groups",
    "home",
    "importing",
    "lecturers",
    "links",
    "rooms",
    "sessions",
    "students",
]
