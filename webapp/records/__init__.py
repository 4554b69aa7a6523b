"""Courses, students and the records of attendance."""
