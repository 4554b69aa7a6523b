"""What a term came to: of a course, a student, a department. Reads only; what counts, says `webapp.records.tallies`."""

from webapp.reports import course, department, matrix, students, unwatched
from webapp.reports.blueprint import blueprint

__all__ = ["blueprint", "course", "department", "matrix", "students", "unwatched"]
