"""What a launch says: the claims of its token, read as what they must be.

Names are from the LTI 1.3 core specification, Deep Linking 2.0, Names and Role Provisioning Services 2.0, and
Assignment and Grade Services 2.0.
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
CUSTOM = LTI + "custom"
MEMBERSHIPS = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GRADES = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"

LAUNCH = "LtiResourceLinkRequest"
DEEP_LINKING = "LtiDeepLinkingRequest"
LTI_VERSION = "1.3.0"
DEEP = "https://purl.imsglobal.org/spec/lti-dl/claim/"
DEEP_LINKING_SETTINGS = DEEP + "deep_linking_settings"
LINK_TYPE = "ltiResourceLink"
OPENS = "opens"
"""The custom parameter of a link, which says what it opens."""
LONGEST_RETURN_URL = 2_000
_LONGEST_DATA = 20_000
LONGEST_ID = 255
"""Characters of `sub`, of a context's id and of a deployment's: what the specification allows."""
_LONGEST_URL = 1000
_MOST_ROLES = 100
_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"


class LinkTarget(StrEnum):
    """What a link of a course opens, as whoever inserted it chose; kept at the platform, with the link."""

    REGISTER = "register"  # that is filled in now, else the course
    OWN = "own"  # each student's own attendance
    REPORT = "report"  # of the course


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
class Choosing:
    """That somebody inserts a link into the platform's course and is to choose what it opens.

    Attributes:
        return_url: where the choice is sent.
        data: what goes back with it as it came; None for nothing.
    """

    return_url: str
    data: str | None


@dataclass(frozen=True)
class Launch:
    """A launch whose token was verified.

    Attributes:
        deployment: the platform's name of the tool's deployment.
        person: who launches.
        part: what they are in the course.
        course: from which.
        opens: what the link opens.
        choosing: where a link is only being inserted; None: one is opened.
    """

    deployment: str
    person: LaunchPerson
    part: ClaimPart
    course: PlatformCourse
    opens: LinkTarget
    choosing: Choosing | None


def read_launch(claims: Mapping[str, Any]) -> Launch:
    """What the claims of a verified token say.

    Raises:
        LaunchError: the message is of another kind, names nobody, or comes from no course.
    """
    kind = claims.get(MESSAGE_TYPE)
    if kind not in (LAUNCH, DEEP_LINKING) or claims.get(VERSION) != LTI_VERSION:
        raise LaunchError(english("This is no launch of LTI 1.3. Add the tool as an activity or a link of a course."))
    choosing = _choosing(claims) if kind == DEEP_LINKING else None
    if choosing is None and not _text(_part(claims, RESOURCE_LINK), "id", LONGEST_ID):
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
    deployment, part = _text(claims, DEPLOYMENT, LONGEST_ID), part_of(claims.get(ROLES))
    opens = target_named(_part(claims, CUSTOM).get(OPENS)) or LinkTarget.REGISTER
    return Launch(deployment, person, part, course, opens, choosing)


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


def target_named(name: object) -> LinkTarget | None:
    """What a link opens, by its name; None: nobody knows the name."""
    return next((target for target in LinkTarget if target.value == name), None)


def _choosing(claims: Mapping[str, Any]) -> Choosing:
    settings = _part(claims, DEEP_LINKING_SETTINGS)
    url = _text(settings, "deep_link_return_url", LONGEST_RETURN_URL)
    types = settings.get("accept_types")
    if not url:
        raise LaunchError(english("The platform does not say where the choice is to be sent (deep_link_return_url)."))
    if not isinstance(types, list) or LINK_TYPE not in types:
        raise LaunchError(english("The platform takes no link of a tool here. Add it as an activity instead."))
    data = settings.get("data")
    if data is not None and (not isinstance(data, str) or len(data) > _LONGEST_DATA):
        raise LaunchError(english("The platform wants too much to be sent back with the choice (data)."))
    return Choosing(url, data)


def _part(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = claims.get(name)
    return found if isinstance(found, dict) else {}


def _text(claims: Mapping[str, Any], name: str, longest: int | None) -> str:
    """A claim that is text, "" if it is none, or longer than what is kept whole."""
    found = claims.get(name)
    if not isinstance(found, str) or (longest is not None and len(found) > longest):
        return ""
    return found.strip() if found.isprintable() else ""
