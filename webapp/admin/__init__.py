"""The administrator's pages: people, courses, rooms, cameras, the timetable, and CSV imports."""

from webapp.admin import (
    cameras,
    courses,
    enrolling,
    enrolments,
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
    "cameras",
    "courses",
    "enrolling",
    "enrolments",
    "home",
    "importing",
    "lecturers",
    "links",
    "rooms",
    "sessions",
    "students",
]
