"""Columns that several kinds of files have: the names by which people know them, and the rule of their field."""

from dataclasses import replace

from attendance.tables import fields
from attendance.tables.reading import Column
from attendance.texts import english

INDEX_NUMBER = Column(
    "index_number",
    english(
        "The number that tells students apart, up to %(longest)s characters; also the name of the student's folder "
        "of photos.",
        longest=fields.INDEX_NUMBER.longest,
    ),
    aliases=("index", "student_number", "student_id", "album_number"),
    rule=fields.INDEX_NUMBER,
)


def index_number_column(rule: fields.TextRule) -> Column:
    """The column of index numbers by an institution's own rule."""
    return replace(INDEX_NUMBER, rule=rule)


STUDENT_NAME = Column(
    "name",
    english("Given name and surname, up to %(longest)s characters.", longest=fields.PERSON_NAME.longest),
    aliases=("student", "student_name", "full_name"),
    rule=fields.PERSON_NAME,
)
COURSE_CODE = Column(
    "course_code",
    english("The code of a course that is there already, exactly as written there."),
    aliases=("course", "code"),
    rule=fields.COURSE_CODE,
)
DEPARTMENT = Column(
    "department",
    english("The name of a department that is there already, exactly as written there."),
    required=False,
    aliases=("department_name", "faculty"),
    rule=fields.DEPARTMENT_NAME,
)
CONSENT_DATE = Column(
    "consent_date",
    english("Day on which the student agreed to be recognised, like 2026-10-01. Empty leaves what is recorded."),
    required=False,
    aliases=("consent", "consent_given", "consent_given_at"),
)
CONSENT_MEANS = Column(
    "consent_means",
    english("How the consent was given, e.g. signed form, student portal."),
    required=False,
    rule=fields.CONSENT_MEANS,
)
LEFT_OUT = Column(
    "left_out_because",
    english("Why a line is left out; only lines of other systems have it, which could not be brought into this form."),
    required=False,
)
