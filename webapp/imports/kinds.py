"""The kinds of files that can be imported, and what the page says about each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from attendance.tables.fields import INDEX_NUMBER, TextRule
from attendance.texts import english
from webapp.imports.enrolments import EnrolmentImporter
from webapp.imports.groups import GroupImporter
from webapp.imports.identities import IdentityImporter
from webapp.imports.lecturers import LecturerImporter
from webapp.imports.places import CourseImporter, RoomImporter
from webapp.imports.plan import ImportPlan
from webapp.imports.roster import RosterImporter
from webapp.imports.run import Importer
from webapp.imports.students import StudentImporter
from webapp.imports.timetable import TimetableImporter


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        slug: its word in addresses.
        title: what it holds.
        records: the plural noun of what a line adds.
        summary: what importing does, for people.
        example: a few lines of such a file.
        make: an importer for one run.
    """

    slug: str
    title: str
    records: str
    summary: str
    example: str
    make: Callable[["_Run"], Importer[Any]]

    def importer(
        self,
        zone: ZoneInfo,
        course_code: str | None = None,
        *,
        rule: TextRule = INDEX_NUMBER,
        plan: ImportPlan | None = None,
    ) -> Importer[Any]:
        """An importer for one run.

        Args:
            zone: the institution's.
            course_code: of the only course meant, or None.
            rule: what may be an index number here.
            plan: what other files add, and what may be created.
        """
        return self.make(_Run(zone, course_code, rule, plan or ImportPlan()))


@dataclass(frozen=True)
class _Run:
    zone: ZoneInfo
    course_code: str | None
    rule: TextRule
    plan: ImportPlan


KINDS: Mapping[str, Kind] = {
    kind.slug: kind
    for kind in (
        Kind(
            "rooms",
            english("Rooms"),
            "rooms",
            english("Adds rooms. One that is there already stays as it is."),
            "name\nHall A\nRoom 204\n",
            lambda run: RoomImporter(run.plan),
        ),
        Kind(
            "courses",
            english("Courses"),
            "courses",
            english("Adds courses. One that is there already gets the name and the department of the file."),
            "code,name,department\nMAT101,Linear algebra,Mathematics\nPHY200,Mechanics,Physics\n",
            lambda run: CourseImporter(run.plan),
        ),
        Kind(
            "students",
            english("Students"),
            "students",
            english(
                "Adds students. One who is there already gets what the file says of name, e-mail address, language, "
                "consent and declared group."
            ),
            "index_number,name\n123456,Maria Nowak\n123457,Łukasz Żak\n",
            lambda run: StudentImporter(run.zone, rule=run.rule, plan=run.plan),
        ),
        Kind(
            "lecturers",
            english("Lecturers"),
            "lecturers",
            english(
                "Adds lecturers, and what they teach, assist in or head. Nobody becomes an administrator or loses a "
                "course."
            ),
            "email,name,course_code\nada@university.edu,Ada Lovelace,MAT101\nada@university.edu,Ada Lovelace,PHY200\n",
            lambda run: LecturerImporter(run.plan),
        ),
        Kind(
            "enrolments",
            english("Enrolments"),
            "enrolments",
            english("Puts students on the rosters of courses. Nobody is taken off a roster."),
            "course_code,index_number,name\nMAT101,123456,Maria Nowak\nPHY200,123456,Maria Nowak\n",
            lambda run: EnrolmentImporter(run.course_code, rule=run.rule, plan=run.plan),
        ),
        Kind(
            "groups",
            english("Groups"),
            "memberships",
            english(
                "Puts students into groups of courses, and onto the course's roster. Nobody is taken out of a group."
            ),
            "course_code,group,index_number\nMAT101,Monday,123456\nMAT101,Tuesday,123457\n",
            lambda run: GroupImporter(rule=run.rule, plan=run.plan),
        ),
        Kind(
            "timetable",
            english("Timetable"),
            "sessions",
            english(
                "Adds sessions, single or weekly, and moves those that are there to the rooms and times of the file. "
                "What a person moved, cancelled or deleted stays so."
            ),
            "course_code,room,date,start,end,repeat_until\nMAT101,Room 204,2026-10-05,09:00,10:30,2027-01-25\n",
            lambda run: TimetableImporter(run.zone, plan=run.plan),
        ),
    )
}
"""By their slugs; each has columns of its own, by which it is told."""

WHOLE_TIMETABLE = Kind(
    "whole-timetable",
    english("Whole timetable"),
    "sessions",
    english(
        "The same for a file that holds the whole timetable of its courses: sessions to come that came from an "
        "earlier file and are not in this one are cancelled."
    ),
    "course_code,room,date,start,end,repeat_until\nMAT101,Room 204,2026-10-05,09:00,10:30,2027-01-25\n",
    lambda run: TimetableImporter(run.zone, whole=True, plan=run.plan),
)

ROSTER = Kind(
    "roster",
    english("Roster with removals"),
    "enrolments",
    english(
        "Puts students on rosters and into groups, and takes those off that a line marks as tobedeleted. What is "
        "recorded of them stays. Before half of a course's students go, you are asked."
    ),
    "course_code,index_number,name,group,status\n"
    "MAT101,123456,Maria Nowak,Monday,active\nMAT101,123457,,,tobedeleted\n",
    lambda run: RosterImporter(rule=run.rule, plan=run.plan),
)
IDENTITIES = Kind(
    "identities",
    english("Identities of another system"),
    "identities",
    english("Keeps how another system calls courses, groups and people, so that its next files are understood."),
    "system,kind,external_id,index_number\noneroster:sis,student,a1b2,123456\n",
    lambda run: IdentityImporter(rule=run.rule, plan=run.plan),
)

ALL_KINDS: Mapping[str, Kind] = {
    **KINDS, **{kind.slug: kind for kind in (WHOLE_TIMETABLE, ROSTER, IDENTITIES)}
}  # fmt: skip
"""With those that must be asked for."""
