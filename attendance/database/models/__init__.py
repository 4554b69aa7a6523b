"""The tables. Times are UTC; every unique rule that the programs rely on is a constraint here."""

from attendance.database.models.base import Base, utc_now
from attendance.database.models.cameras import Camera, Observation, Origin
from attendance.database.models.gallery import (
    JOB_ABANDONED,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    IndexVersion,
    JobState,
)
from attendance.database.models.imports import FileContent, ImportedFile, ImportedFilePart
from attendance.database.models.people import ApiToken, Lecturer, PasswordLink, Role, SignInAttempt, Student, TokenRole
from attendance.database.models.register import (
    Attendance,
    AttendanceChange,
    AttendanceEvidence,
    Excuse,
    Source,
    Status,
    Unrecorded,
)
from attendance.database.models.teaching import ClassSession, Closing, Course, CourseLecturer, Enrolment, Room

__all__ = [
    "JOB_ABANDONED",
    "ApiToken",
    "Attendance",
    "AttendanceChange",
    "AttendanceEvidence",
    "Base",
    "Camera",
    "ClassSession",
    "Closing",
    "Course",
    "CourseLecturer",
    "Enrolment",
    "Excuse",
    "FileContent",
    "GalleryJob",
    "GalleryJobKind",
    "GalleryJobPhoto",
    "ImportedFile",
    "ImportedFilePart",
    "IndexVersion",
    "JobState",
    "Lecturer",
    "Observation",
    "Origin",
    "PasswordLink",
    "Role",
    "Room",
    "SignInAttempt",
    "Source",
    "Status",
    "Student",
    "TokenRole",
    "Unrecorded",
    "utc_now",
]
