"""What a launch says: the claims of its token, read as what they must be.

Names are from the LTI 1.3 core specification, Names and Role Provisioning Services 2.0, and Assignment and Grade
Services 2.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from attendance.texts import english
from webapp.lti.errors import LaunchError

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
MESSAGE_TYPE, VERSION, DEPLOYMENT, ROLES, CONTEXT, RESOURCE_LINK = (
    LTI + name for name in ("message_type", "version", "deployment_id", "roles", "context", "resource_link")
)
MEMBERSHIPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"

LAUNCH = "LtiResourceLinkRequest"
LTI_VERSION = "1.3.0"
LONGEST_ID = 255
"""Characters of `sub`, of a context's id and of a deployment's: what the specification allows."""
_LONGEST_URL = 1000
_MOST_ROLES = 100
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


class ClaimPart(StrEnum):
    """What somebody is in the platform's course, as far as it matters here."""

    TEACHES = "teaches"
    ASSISTS = "assists"
    STUDIES = "studies"
    OTHER = "other"


@dataclass(frozen=True)
class LaunchPerson:
    """Who launches.

    Attributes:
        subject: the platform's own identity of the person.
        name: "" where the platform does not say it.
        email: in small letters, "" likewise; nobody has checked it.
    """

    subject: str
    name: str
    email: str


@dataclass(frozen=True)
class PlatformCourse:
    """The course that somebody launches from.

    Attributes:
        external_id: the platform's identity of it, unique within a deployment.
        label: e.g. "MAT101"; "" where the platform does not say it.
        title: e.g. "Linear algebra"; likewise.
        memberships_url: where its members are asked for; None where this tool may not ask.
        line_items_url: where its columns of grades are; None likewise.
    """

    external_id: str
    label: str
    title: str
    memberships_url: str | None
    line_items_url: str | None


@dataclass(frozen=True)
class Launch:
    """A launch whose token was verified."""

    deployment: str
    person: LaunchPerson
    part: ClaimPart
    course: PlatformCourse


def read_launch(claims: Mapping[str, Any]) -> Launch:
    """What the claims of a verified token say.

    Raises:
        LaunchError: the message is of another kind, names nobody, or comes from no course.
    """
    if claims.get(MESSAGE_TYPE) != LAUNCH or claims.get(VERSION) != LTI_VERSION:
        raise LaunchError(english("This is no launch of LTI 1.3. Add the tool as an activity or a link of a course."))
    if not _text(_part(claims, RESOURCE_LINK), "id", LONGEST_ID):
        raise LaunchError(english("The launch names no link (resource_link) of a course."))
    subject = _text(claims, "sub", LONGEST_ID)
    if not subject:
        raise LaunchError(
            english("The launch does not say who you are. The link's privacy settings must let it say that.")
        )
    context = _part(claims, CONTEXT)
    external_id = _text(context, "id", LONGEST_ID)
    if not external_id:
        raise LaunchError(english("The launch names no course. Open the link from within a course."))
    course = PlatformCourse(
        external_id,
        label=_text(context, "label", None)[:LONGEST_ID],
        title=_text(context, "title", None)[:LONGEST_ID],
        memberships_url=_text(_part(claims, MEMBERSHIPS), "context_memberships_url", _LONGEST_URL) or None,
        line_items_url=_text(_part(claims, GRADES), "lineitems", _LONGEST_URL) or None,
    )
    person = LaunchPerson(subject, name_in(claims), _text(claims, "email", 254).strip().lower())
    return Launch(_text(claims, DEPLOYMENT, LONGEST_ID), person, part_of(claims.get(ROLES)), course)


def part_of(roles: object) -> ClaimPart:
    """What these roles make somebody in a course; those in the institution or of the system make nobody anything.

    An assistant is one whatever else is said: platforms name the instructor beside, whose kind an assistant is.
    """
    named = {role for role in roles[:_MOST_ROLES] if isinstance(role, str)} if isinstance(roles, list) else set()
    if f"{_MEMBERSHIP}/Instructor#TeachingAssistant" in named or "TeachingAssistant" in named:
        return ClaimPart.ASSISTS
    for name, part in (("Instructor", ClaimPart.TEACHES), ("Learner", ClaimPart.STUDIES)):
        if f"{_MEMBERSHIP}#{name}" in named or name in named:
            return part
    return ClaimPart.OTHER


def name_in(claims: Mapping[str, Any]) -> str:
    """A person's name as the platform says it; "" if it does not."""
    whole = _text(claims, "name", None)
    parts = (_text(claims, "given_name", None), _text(claims, "family_name", None))
    return (whole or " ".join(part for part in parts if part))[:120]


def _part(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = claims.get(name)
    return found if isinstance(found, dict) else {}


def _text(claims: Mapping[str, Any], name: str, longest: int | None) -> str:
    """A claim that is text, "" if it is none, or longer than what is kept whole."""
    found = claims.get(name)
    if not isinstance(found, str) or (longest is not None and len(found) > longest):
        return ""
    return found.strip() if found.isprintable() else ""
