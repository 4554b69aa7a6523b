"""Who takes a platform's course, by Names and Role Provisioning Services 2.0, as files that are tried and imported.

Nothing is changed by asking: what comes goes the way of every roster (`webapp.imports.roster`), which shows the
difference first and asks before half of a course's students go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import Enrolment, ExternalIdentity, ExternalKind, LtiCourse, Student
from attendance.tables.columns import LEFT_OUT
from attendance.tables.fields import TextRule
from attendance.texts import english
from webapp.exports.for_programs import program_csv
from webapp.imports.identities import EXTERNAL_ID
from webapp.imports.kinds import IDENTITIES, ROSTER
from webapp.imports.roster import ACTIVE, REMOVED
from webapp.imports.together import ImportFile
from webapp.lti.claims import ClaimPart, name_in, part_of
from webapp.lti.errors import PlatformError
from webapp.lti.people import system_of
from webapp.lti.services.calling import MEMBERSHIPS, PlatformService, Registration, this_tools_key
from webapp.tools.languages import say

_ACCEPT = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
_MOST_MEMBERS = 20_000
_ROSTER_COLUMNS = ("course_code", "index_number", "name", "status", LEFT_OUT.name)
_IDENTITY_COLUMNS = ("system", "kind", "external_id", "index_number")


@dataclass(frozen=True)
class Member:
    """Somebody who takes the platform's course.

    Attributes:
        subject: the platform's own identity of the person.
        number: what the platform has from the student system (`lis_person_sourcedid`); "" if nothing.
        active: whether the person still takes it.
    """

    subject: str
    number: str
    name: str
    email: str
    active: bool


def fetch_members(db: Session, linked: LtiCourse) -> list[Member]:
    """Ask a platform who takes its course.

    Raises:
        PlatformError: it does not say, or nobody does.
        SealError: this tool's key cannot be opened.
    """
    registration = Registration.of(linked.deployment.platform)
    url = linked.memberships_url
    if url is None:
        raise PlatformError(
            english(
                "%(platform)s does not let this tool ask who takes the course. Allow Names and Role Provisioning "
                "there, and open the link in the course again.",
                platform=registration.name,
            )
        )
    service = PlatformService(registration, MEMBERSHIPS, this_tools_key(db))
    db.commit()  # the connection: the platform may take its time
    members: dict[str, Member] = {}
    for page in service.pages(url, accept=_ACCEPT):
        given = page.get("members") if isinstance(page, dict) else None
        if not isinstance(given, list):
            raise PlatformError(english("%(platform)s does not answer as LTI says.", platform=registration.name))
        for one in given:
            if (
                isinstance(one, dict)
                and part_of(one.get("roles")) is ClaimPart.STUDIES
                and isinstance(one.get("user_id"), str)
            ):
                members[one["user_id"]] = _member(one)
        if len(members) > _MOST_MEMBERS:
            raise PlatformError(english("%(platform)s names too many people.", platform=registration.name))
    if not members:
        raise PlatformError(
            english(
                "%(platform)s says that no student takes this course. Nothing is changed.", platform=registration.name
            )
        )
    return list(members.values())


def roster_files(db: Session, linked: LtiCourse, members: Sequence[Member], rule: TextRule) -> list[ImportFile]:
    """The members as files to import: the roster of the course here, and who each is at the platform.

    Args:
        db: any session.
        linked: with its course.
        members: all of them; who takes the course here and is not among them is taken off.
        rule: what may be an index number here.
    """
    course = linked.course
    if course is None:
        raise ValueError("a course that is linked")
    platform = linked.deployment.platform
    known = _known(db, system_of(platform.id), members, rule)
    roster, identities, named = [], [], set[str]()
    for member in members:
        number = known.get(member.subject) or rule.clean(member.number)
        problem = "" if number else _nameless(member, platform.name)
        roster.append((course.code, number, member.name, ACTIVE if member.active else REMOVED, problem))
        if number and member.active:
            identities.append((system_of(platform.id), ExternalKind.STUDENT.value, member.subject, number))
        if number:
            named.add(number)
    taking = sa.select(Student.index_number).join(Enrolment, Enrolment.student_id == Student.id)
    for number in db.scalars(taking.where(Enrolment.course_id == course.id).order_by(Student.index_number)):
        if number not in named:
            roster.append((course.code, number, "", REMOVED, ""))
    files = [
        ImportFile(
            ROSTER, f"{platform.name} {course.code}.csv", "".join(program_csv([_ROSTER_COLUMNS], roster)).encode()
        )
    ]
    usable = [line for line in identities if EXTERNAL_ID.problem(line[2]) is None]
    if usable:
        name = f"{platform.name} {course.code} identities.csv"
        files.append(ImportFile(IDENTITIES, name, "".join(program_csv([_IDENTITY_COLUMNS], usable)).encode()))
    return files


def _member(given: Mapping[str, Any]) -> Member:
    def text(name: str) -> str:
        found = given.get(name)
        return " ".join(found.split()) if isinstance(found, str) else ""

    # "Inactive" and "Deleted" are those that the standard names; without a status a member is active.
    active = given.get("status", "Active") == "Active"
    return Member(given["user_id"], text("lis_person_sourcedid"), name_in(given), text("email").lower(), active)


def _known(db: Session, system: str, members: Sequence[Member], rule: TextRule) -> dict[str, str]:
    """The index numbers of those who are known: by the platform's identity, else by an address of the student's own.

    An address is one person: it counts for nobody where several have it, or where somebody else there is the student.
    """
    bound = sa.select(ExternalIdentity.external_id, Student.index_number)
    bound = bound.join(Student, Student.id == ExternalIdentity.student_id)
    bound = bound.where(ExternalIdentity.system == system, ExternalIdentity.kind == ExternalKind.STUDENT)
    known: dict[str, str] = dict(db.execute(bound).all())
    wanted: dict[str, list[str]] = {}
    for one in members:
        if one.email and not one.number and one.subject not in known:
            wanted.setdefault(one.email, []).append(one.subject)
    taken = {*known.values(), *(rule.clean(one.number) for one in members)}
    for email, number in db.execute(sa.select(Student.email, Student.index_number).where(Student.email.in_(wanted))):
        subjects = wanted[str(email)]
        if len(subjects) == 1 and number not in taken:
            known[subjects[0]] = number
    return known


def _nameless(member: Member, platform: str) -> str:
    return say(
        english(
            "%(platform)s says no index number of %(name)s. Enter it there (Moodle: ID number; Canvas: SIS ID).",
            platform=platform,
            name=member.name or member.subject,
        )
    )
