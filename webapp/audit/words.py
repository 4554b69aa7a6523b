"""What entries of the audit log say, in the reader's words."""

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext, lazy_gettext

from attendance.database.models import DELETED_STUDENT, ActorKind, AuditAction, AuditEntry

TYPED = "(something)"
"""What the log says of a filter that somebody typed: it may be a name."""

KIND_WORDS: Mapping[str, Any] = {
    "sign_in": lazy_gettext("Sign-ins"),
    "password": lazy_gettext("Passwords"),
    "second_factor": lazy_gettext("Second factors"),
    "own_page": lazy_gettext("Students' own pages"),
    "account": lazy_gettext("Accounts"),
    "role": lazy_gettext("Roles"),
    "student": lazy_gettext("Students"),
    "consent": lazy_gettext("Consent"),
    "erasure": lazy_gettext("Erasures"),
    "photos": lazy_gettext("Photos"),
    "index": lazy_gettext("Index of faces"),
    "department": lazy_gettext("Departments"),
    "course": lazy_gettext("Courses"),
    "enrolment": lazy_gettext("Enrolments"),
    "group": lazy_gettext("Groups"),
    "status": lazy_gettext("Statuses of the institution's or a course's own"),
    "room": lazy_gettext("Rooms"),
    "camera": lazy_gettext("Cameras"),
    "session": lazy_gettext("Sessions"),
    "break": lazy_gettext("Days without teaching"),
    "excuse": lazy_gettext("Excuses"),
    "dispute": lazy_gettext("Entries called wrong"),
    "file": lazy_gettext("Imports and exports"),
    "mail": lazy_gettext("Mail"),
    "lti": lazy_gettext("Learning platforms (LTI)"),
    "webhook": lazy_gettext("Webhooks"),
    "calendar": lazy_gettext("Calendars of the timetable"),
    "feed": lazy_gettext("Calendar feeds"),
    "token": lazy_gettext("Tokens"),
    "settings": lazy_gettext("Settings"),
    "command": lazy_gettext("Commands on the server"),
}
"""Of what stands before the full stop of an action, in the order of the list."""

ACTION_WORDS: Mapping[str, Any] = {
    AuditAction.SIGNED_IN: lazy_gettext("Signed in"),
    AuditAction.SIGN_IN_FAILED: lazy_gettext("Sign-in failed"),
    AuditAction.SIGNED_OUT: lazy_gettext("Signed out"),
    AuditAction.SIGNED_OUT_ELSEWHERE: lazy_gettext("Signed out everywhere else"),
    AuditAction.SIGNED_OUT_THERE: lazy_gettext("Signed out by the university's sign-in"),
    AuditAction.IDENTITY_LINKED: lazy_gettext("Bound to a person of the university's sign-in"),
    AuditAction.IDENTITY_UNLINKED: lazy_gettext("Released from a person of the university's sign-in"),
    AuditAction.PASSWORD_CHANGED: lazy_gettext("Password changed"),
    AuditAction.PASSWORD_RESET: lazy_gettext("Password set anew"),
    AuditAction.PASSWORD_LINK_ASKED: lazy_gettext("Link to set a password asked for"),
    AuditAction.PASSWORD_LINK_MADE: lazy_gettext("Link to set a password made"),
    AuditAction.PASSWORD_LINK_USED: lazy_gettext("Link to set a password used"),
    AuditAction.PASSWORD_LINK_REFUSED: lazy_gettext("Link to set a password refused"),
    AuditAction.SECOND_FACTOR_ADDED: lazy_gettext("Second factor set up"),
    AuditAction.SECOND_FACTOR_REMOVED: lazy_gettext("Second factor removed"),
    AuditAction.SECOND_FACTOR_RENEWED: lazy_gettext("Recovery codes made anew"),
    AuditAction.OWN_PAGE_LINK_ASKED: lazy_gettext("Link to the own page asked for"),
    AuditAction.OWN_PAGE_LINK_MADE: lazy_gettext("Link to the own page made"),
    AuditAction.OWN_PAGE_LINK_REFUSED: lazy_gettext("Link to an own page refused"),
    AuditAction.OWN_PAGE_OPENED: lazy_gettext("Own page opened"),
    AuditAction.OWN_PAGE_LEFT: lazy_gettext("Signed out of the own page"),
    AuditAction.ACCOUNT_ADDED: lazy_gettext("Account added"),
    AuditAction.ACCOUNT_CHANGED: lazy_gettext("Account changed"),
    AuditAction.ACCOUNT_DELETED: lazy_gettext("Account deleted"),
    AuditAction.ROLE_GIVEN: lazy_gettext("Role given"),
    AuditAction.ROLE_TAKEN: lazy_gettext("Role taken away"),
    AuditAction.STUDENT_ADDED: lazy_gettext("Student added"),
    AuditAction.STUDENT_CHANGED: lazy_gettext("Student changed"),
    AuditAction.STUDENT_RENUMBERED: lazy_gettext("Index number changed"),
    AuditAction.STUDENT_DELETED: lazy_gettext("Student deleted"),
    AuditAction.CONSENT_GIVEN: lazy_gettext("Consent recorded"),
    AuditAction.CONSENT_WITHDRAWN: lazy_gettext("Consent withdrawn"),
    AuditAction.ERASURE_DONE: lazy_gettext("Face data erased"),
    AuditAction.PHOTOS_ADDED: lazy_gettext("Photos added"),
    AuditAction.PHOTOS_ENROLLED: lazy_gettext("Photos looked at"),
    AuditAction.PHOTO_PROPOSED: lazy_gettext("Photos proposed"),
    AuditAction.PHOTO_TAKEN_BACK: lazy_gettext("Proposed photo taken back"),
    AuditAction.PHOTOS_DECIDED: lazy_gettext("Proposed photos decided on"),
    AuditAction.INDEX_PUBLISHED: lazy_gettext("Index published"),
    AuditAction.DEPARTMENT_ADDED: lazy_gettext("Department added"),
    AuditAction.DEPARTMENT_CHANGED: lazy_gettext("Department changed"),
    AuditAction.DEPARTMENT_DELETED: lazy_gettext("Department deleted"),
    AuditAction.COURSE_ADDED: lazy_gettext("Course added"),
    AuditAction.COURSE_CHANGED: lazy_gettext("Course changed"),
    AuditAction.COURSE_DELETED: lazy_gettext("Course deleted"),
    AuditAction.ENROLMENT_ADDED: lazy_gettext("Student enrolled"),
    AuditAction.ENROLMENT_REMOVED: lazy_gettext("Student removed from a course"),
    AuditAction.GROUP_ADDED: lazy_gettext("Group added"),
    AuditAction.GROUP_CHANGED: lazy_gettext("Group changed"),
    AuditAction.GROUP_DELETED: lazy_gettext("Group deleted"),
    AuditAction.GROUP_JOINED: lazy_gettext("Student put into a group"),
    AuditAction.GROUP_LEFT: lazy_gettext("Student taken out of a group"),
    AuditAction.STATUS_ADDED: lazy_gettext("Status added"),
    AuditAction.STATUS_CHANGED: lazy_gettext("Status changed"),
    AuditAction.STATUS_REMOVED: lazy_gettext("Status deleted or retired"),
    AuditAction.STATUS_BROUGHT_BACK: lazy_gettext("Status brought back"),
    AuditAction.ROOM_ADDED: lazy_gettext("Room added"),
    AuditAction.ROOM_CHANGED: lazy_gettext("Room changed"),
    AuditAction.ROOM_DELETED: lazy_gettext("Room deleted"),
    AuditAction.CAMERA_ADDED: lazy_gettext("Camera added"),
    AuditAction.CAMERA_CHANGED: lazy_gettext("Camera changed"),
    AuditAction.CAMERA_DELETED: lazy_gettext("Camera deleted"),
    AuditAction.CAMERA_VIEWED: lazy_gettext("Looked through a camera, faces pixelated"),
    AuditAction.CAMERA_VIEWED_CLEAR: lazy_gettext("Looked through a camera, faces shown where no session counts"),
    AuditAction.SESSION_ADDED: lazy_gettext("Sessions added"),
    AuditAction.SESSION_CHANGED: lazy_gettext("Session changed"),
    AuditAction.SESSION_CANCELLED: lazy_gettext("Session cancelled"),
    AuditAction.SESSION_RESTORED: lazy_gettext("Cancelled session restored"),
    AuditAction.SESSION_DELETED: lazy_gettext("Sessions deleted"),
    AuditAction.BREAK_ADDED: lazy_gettext("Days without teaching added"),
    AuditAction.BREAK_DELETED: lazy_gettext("Days without teaching deleted"),
    AuditAction.EXCUSE_ADDED: lazy_gettext("Student excused"),
    AuditAction.EXCUSE_TAKEN_BACK: lazy_gettext("Excuse taken back"),
    AuditAction.DISPUTE_RAISED: lazy_gettext("Entry called wrong"),
    AuditAction.DISPUTE_TAKEN_BACK: lazy_gettext("No longer called wrong"),
    AuditAction.DISPUTE_ANSWERED: lazy_gettext("Student answered"),
    AuditAction.IMPORTED: lazy_gettext("File imported"),
    AuditAction.EXPORTED: lazy_gettext("File exported"),
    AuditAction.MAIL_TESTED: lazy_gettext("Test mail sent"),
    AuditAction.MAIL_SENT_AGAIN: lazy_gettext("Failed mail sent again"),
    AuditAction.LTI_REGISTRATION_OFFERED: lazy_gettext("Address for a learning platform to register itself made"),
    AuditAction.LTI_REGISTRATION_WITHDRAWN: lazy_gettext("Address for a learning platform to register itself ended"),
    AuditAction.LTI_PLATFORM_REGISTERED: lazy_gettext("Learning platform registered itself"),
    AuditAction.LTI_PLATFORM_CONFIRMED: lazy_gettext("Learning platform confirmed"),
    AuditAction.LTI_PLATFORM_ADDED: lazy_gettext("Learning platform added"),
    AuditAction.LTI_PLATFORM_CHANGED: lazy_gettext("Learning platform changed"),
    AuditAction.LTI_PLATFORM_DELETED: lazy_gettext("Learning platform deleted"),
    AuditAction.LTI_COURSE_LINKED: lazy_gettext("Course of a learning platform linked, or its link changed"),
    AuditAction.LTI_PERSON_CONNECTED: lazy_gettext("Account connected with a learning platform"),
    AuditAction.LTI_PERSON_DISCONNECTED: lazy_gettext("Account disconnected from a learning platform"),
    AuditAction.LTI_RATES_SENT: lazy_gettext("Rates sent to a learning platform"),
    AuditAction.LTI_KEY_MADE: lazy_gettext("Key for learning platforms made"),
    AuditAction.LTI_KEY_WITHDRAWN: lazy_gettext("Key for learning platforms withdrawn"),
    AuditAction.WEBHOOK_ADDED: lazy_gettext("Receiver of webhooks added"),
    AuditAction.WEBHOOK_CHANGED: lazy_gettext("Receiver of webhooks changed"),
    AuditAction.WEBHOOK_SECRET_RENEWED: lazy_gettext("New secret for a receiver of webhooks"),
    AuditAction.WEBHOOK_ON: lazy_gettext("Receiver of webhooks switched on"),
    AuditAction.WEBHOOK_OFF: lazy_gettext("Receiver of webhooks switched off"),
    AuditAction.WEBHOOK_DELETED: lazy_gettext("Receiver of webhooks deleted"),
    AuditAction.WEBHOOK_TESTED: lazy_gettext("Test sent to a receiver of webhooks"),
    AuditAction.WEBHOOK_SENT_AGAIN: lazy_gettext("Event sent again to a receiver of webhooks"),
    AuditAction.CALENDAR_ADDED: lazy_gettext("Calendar added"),
    AuditAction.CALENDAR_CHANGED: lazy_gettext("Calendar changed"),
    AuditAction.CALENDAR_APPLIED: lazy_gettext("Timetable follows a calendar"),
    AuditAction.CALENDAR_DELETED: lazy_gettext("Calendar deleted"),
    AuditAction.FEED_MADE: lazy_gettext("Address of a calendar feed made"),
    AuditAction.FEED_ENDED: lazy_gettext("Address of a calendar feed ended"),
    AuditAction.TOKEN_MADE: lazy_gettext("Token made"),
    AuditAction.TOKEN_ENDED: lazy_gettext("Token ended"),
    AuditAction.SETTINGS_CHANGED: lazy_gettext("Settings changed since the last start"),
    AuditAction.COMMAND_RUN: lazy_gettext("Command run"),
}

_DETAIL_WORDS: Mapping[str, Any] = {
    "room": lazy_gettext("room"),
    "accepted": lazy_gettext("accepted"),
    "added": lazy_gettext("added"),
    "before": lazy_gettext("before"),
    "by": lazy_gettext("by"),
    "corrected": lazy_gettext("corrected"),
    "course": lazy_gettext("course"),
    "department": lazy_gettext("department"),
    "entries": lazy_gettext("entries"),
    "event": lazy_gettext("event"),
    "fields": lazy_gettext("fields"),
    "form": lazy_gettext("form"),
    "from": lazy_gettext("from"),
    "group": lazy_gettext("group"),
    "kind": lazy_gettext("kind"),
    "lines": lazy_gettext("lines"),
    "mail": lazy_gettext("mail"),
    "may sign in": lazy_gettext("may sign in"),
    "page": lazy_gettext("page"),
    "photos": lazy_gettext("photos"),
    "platform": lazy_gettext("learning platform"),
    "q": lazy_gettext("search text"),
    "refused": lazy_gettext("refused"),
    "rejected": lazy_gettext("rejected"),
    "retired": lazy_gettext("retired"),
    "role": lazy_gettext("role"),
    "scopes": lazy_gettext("scopes"),
    "sessions": lazy_gettext("sessions"),
    "settings": lazy_gettext("settings"),
    "sort": lazy_gettext("sort"),
    "order": lazy_gettext("order"),
    "list": lazy_gettext("list"),
    "status": lazy_gettext("status"),
    "student": lazy_gettext("student"),
    "threshold": lazy_gettext("attendance asked for"),
    "to": lazy_gettext("to"),
    "token": lazy_gettext("token"),
    "unchanged": lazy_gettext("unchanged"),
    "updated": lazy_gettext("updated"),
    "why": lazy_gettext("why"),
}
"""Of the details that there are; others are shown as they are."""


def action_words(action: str) -> str:
    """What was done; of an action that a newer version wrote, its own name."""
    return str(ACTION_WORDS.get(action, action))


def actor_words(entry: AuditEntry) -> str:
    """Who did it."""
    if entry.actor_kind is ActorKind.STUDENT:
        return gettext("The student")
    if entry.actor_kind is ActorKind.NOBODY:
        return gettext("Nobody signed in")
    name = entry.actor or "?"
    if entry.actor_kind is ActorKind.COMMAND:
        return gettext("%(user)s, on the server", user=name)
    return gettext("The program %(name)s", name=name) if entry.actor_kind is ActorKind.PROGRAM else name


def student_words(entry: AuditEntry) -> str | None:
    """Whom it was done to: the index number, or that there is no such student any more."""
    return gettext("deleted student") if entry.student == DELETED_STUDENT else entry.student


def detail_words(entry: AuditEntry) -> str:
    """What else is known, in a line."""
    details = entry.details or {}
    said = {name: gettext("(something)") if value == TYPED else value for name, value in details.items() if value != ""}
    return "; ".join(f"{_DETAIL_WORDS.get(name, name)}: {value}" for name, value in said.items())
