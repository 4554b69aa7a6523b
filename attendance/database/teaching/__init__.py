"""What changes the timetable: series, sessions that are moved or cancelled, courses that go, days without teaching."""
