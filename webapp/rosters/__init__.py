"""Rosters of student systems (OneRoster 1.2, CSV binding) in and out, and files for Moodle's Attendance plugin.

An archive that comes in is bounded and taken apart (`archive`), read (`tables`), and brought into the form of our own
CSV imports (`converting`), which show the difference before anything is changed. `oneroster_out` and `moodle` write
what others read.
"""

from webapp.rosters import moodle, views

__all__ = ["moodle", "views"]
