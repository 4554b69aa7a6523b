"""The administrator's pages: people, courses, rooms, cameras, the timetable, and CSV imports."""

from webapp.admin import (
    accounts,
    aiming,
    breaks,
    camera_health,
    cameras,
    courses,
    departments,
    enrolling,
    enrolments,
    erasures,
    groups,
    home,
    importing,
    rooms,
    sessions,
    student_link,
    students,
)
from webapp.admin.blueprint import blueprint

__all__ = [
    "accounts",
    "aiming",
    "blueprint",
    "breaks",
    "camera_health",
    "cameras",
    "courses",
    "departments",
    "enrolling",
    "enrolments",
    "erasures",
    "groups",
    "home",
    "importing",
    "rooms",
    "sessions",
    "student_link",
    "students",
]
