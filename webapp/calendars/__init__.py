"""Calendars: timetables from iCalendar, fetched or uploaded; and feeds of sessions for people's own calendars.

`ics` reads a calendar's text. What it would change is found and written by `webapp.imports`, as with CSV files.
"""
