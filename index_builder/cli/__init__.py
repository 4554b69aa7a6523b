"""`attendance enrol` and `attendance index`."""
