"""The administrator's pages: people, courses, rooms, cameras, the timetable, and CSV imports."""

from webapp.admin.blueprint import blueprint

__all__ = ["blueprint"]
