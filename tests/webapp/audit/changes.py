"""Every form of the dashboard, filled in so that it changes something, with what the audit log then says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pyotp import TOTP

from attendance.database.models import AuditAction as Action
from tests.factories import PASSWORD
from tests.webapp.tools.test_photos import PHOTO

Form = Callable[[Mapping[str, Any]], dict[str, Any]]

NEW_PASSWORD = "the quick brown fox of today"
STUDENTS = b"index_number,name,consent_date\n990001,Grace Hopper,2026-01-07\n"
LABEL = {"name": "Excursion", "letter": "X", "kind": "present", "colour": "blue", "percent": "100"}
CALENDAR = {
    "name": "Term",
    "url": "https://calendar.example.edu/other.ics",
    "first_day": "2026-10-01",
    "last_day": "2027-01-31",
    "course": "",
    "room": "",
    "every_minutes": "60",
}
RECEIVER = {"name": "Records", "url": "https://records.example.edu/hook", "department": "", "student_at_risk": "y"}
SESSION = {"day": "2027-03-01", "start": "09:00", "end": "10:30", "early_minutes": "15", "grace_minutes": "15"}

UNNOTED: Mapping[str, str] = {
    "calendars.upload": "only tries a file; what it changes is noted",
    "calendars.fetch_now": "only fetches; what it changes is noted",
    "admin.upload": "only tries a file; what is imported is noted",
    "admin.upload_together": "only tries files",
    "admin.try_again": "only tries a file",
    "admin.try_together_again": "only tries files",
    "held.answer": "what is held says itself who answered, when and how",
    "register.answer_held_here": "what is held says so itself",
    "second_factor.begin": "nothing counts before the app has made its first code",
    "density.choose": "how pages look to who asks",
    "preferences.choose_language": "how pages look to who asks",
    "preferences.choose_theme": "how pages look to who asks",
    "profile.save_picture": "a picture of oneself",
    "profile.remove_picture": "a picture of oneself",
    "lti.login": "begins a sign-in at a learning platform; nothing is known yet",
    "lti.launch": "its sign-in is noted, as tests/webapp/lti/test_launching.py sees with a platform",
    "lti.choose": "goes back to the learning platform; nothing here changes",
    "lti.register_now": "noted, as tests/webapp/lti/registration/test_registering.py sees with a platform",
    "lti.connect_now": "noted, as the same tests see",
    "lti_admin.fetch_roster": "only tries a roster; what is imported is noted",
    "lti_admin.send_rates_now": "noted, as tests/webapp/lti/services/test_rates.py sees with a platform",
    "rosters.upload": "only tries an archive; what is imported is noted",
    "register.correct": "the entry's own history says who, when and why",
    "register.give_back": "the entry's own history",
    "register.remark": "the entry's own history",
    "register.bulk": "the entries' own histories",
    "register.undo_bulk": "the entries' own histories",
    "register.take_by_hand": "the entries' own histories",
}
"""Forms that leave no entry, and why."""


@dataclass(frozen=True)
class Change:
    """A form that is sent.

    Attributes:
        actions: what the log says, in its order.
        form: the fields, made of what `furnish` furnished and of what `before` found.
        by: who sends it: "admin", "student" or "nobody".
        before: a step that must come first, by its name in the test.
        after: what must have been done before, by the form of another view.
        first: a view whose form the same browser sends before.
    """

    actions: tuple[Action, ...]
    form: Form = field(default=lambda _values: {})
    by: str = "admin"
    before: str | None = None
    after: tuple[str, ...] = ()
    first: str | None = None


def _file(data: bytes, name: str) -> tuple[BytesIO, str]:
    return BytesIO(data), name


def _account(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "Somebody Else", "email": values["email"], "active": "y", "administrator": "y"}


def _platform(_values: Mapping[str, Any]) -> dict[str, Any]:
    urls = {name: f"https://canvas.example/{name}" for name in ("keys_url", "token_url", "authorisation_url")}
    return urls | {"name": "Canvas", "issuer": "https://canvas.example", "client_id": "10", "deployments": "1:a"}


def _session(values: Mapping[str, Any]) -> dict[str, Any]:
    return SESSION | {"course": str(values["course_id"]), "room": str(values["room_id"])}


CHANGES: Mapping[str, Change] = {
    "account.sign_in_now": Change(
        (Action.SIGNED_IN,), lambda v: {"email": v["email"], "password": PASSWORD}, by="nobody"
    ),
    "account.sign_out_now": Change((Action.SIGNED_OUT,)),
    "admin.account_link": Change((Action.PASSWORD_LINK_MADE,)),
    "admin.account_links": Change((Action.PASSWORD_LINK_MADE,), before="somebody without a password"),
    "admin.add_member": Change((Action.GROUP_JOINED,), lambda v: {"index_number": v["new_number"]}, before="enrolled"),
    "admin.add_role": Change((Action.ROLE_GIVEN,), lambda v: {"role": "department", "department": v["department_id"]}),
    "admin.add_teacher": Change((Action.ROLE_GIVEN,), lambda v: {"lecturer": v["new_email"]}),
    "admin.breaks": Change((Action.BREAK_ADDED,), lambda _v: {"name": "Easter", "first_day": "2027-03-26"}),
    "admin.camera": Change((Action.CAMERA_CHANGED,), lambda _v: {"name": "another", "room": "", "upsample": ""}),
    "admin.delete_account": Change((Action.ACCOUNT_DELETED,), lambda v: {"typed": v["email"]}),
    "admin.delete_break": Change((Action.BREAK_DELETED,)),
    "admin.delete_camera": Change((Action.CAMERA_DELETED,)),
    "admin.delete_course": Change((Action.COURSE_DELETED,), lambda _v: {"typed": "MA1"}),
    "admin.delete_department": Change((Action.DEPARTMENT_DELETED,), after=("admin.delete_course",)),
    "admin.delete_group": Change((Action.GROUP_DELETED,)),
    "admin.delete_room": Change((Action.ROOM_DELETED,), after=("admin.delete_session",)),
    "admin.delete_session": Change((Action.SESSION_DELETED,), lambda _v: {"typed": "MA1"}),
    "admin.delete_student": Change(
        (Action.CONSENT_WITHDRAWN, Action.STUDENT_DELETED), lambda v: {"typed": v["number"]}
    ),
    "admin.department": Change((Action.DEPARTMENT_CHANGED,), lambda _v: {"name": "Another"}),
    "admin.edit_course": Change(
        (Action.COURSE_CHANGED,), lambda _v: {"code": "MA9", "name": "x", "attendance_threshold": "75"}
    ),
    "admin.enrol": Change((Action.ENROLMENT_ADDED,), lambda v: {"index_number": v["new_number"]}),
    "admin.groups": Change((Action.GROUP_ADDED,), lambda _v: {"name": "Another"}),
    "admin.import_now": Change((Action.CONSENT_GIVEN, Action.IMPORTED), before="a file that was tried"),
    "admin.import_together_now": Change((Action.CONSENT_GIVEN, Action.IMPORTED), before="files that were tried"),
    "admin.lift_second_factor": Change((Action.SECOND_FACTOR_REMOVED,), before="an account with a second factor"),
    "admin.new_account": Change(
        (Action.ACCOUNT_ADDED, Action.ROLE_GIVEN),
        lambda _v: {"name": "New", "email": "new@example.edu", "active": "y", "administrator": "y"},
    ),
    "admin.new_camera": Change(
        (Action.CAMERA_ADDED, Action.TOKEN_MADE), lambda _v: {"name": "Entrance", "room": "", "upsample": ""}
    ),
    "admin.new_course": Change((Action.COURSE_ADDED,), lambda _v: {"code": "NEW", "name": "New"}),
    "admin.new_department": Change((Action.DEPARTMENT_ADDED,), lambda _v: {"name": "New"}),
    "admin.new_room": Change((Action.ROOM_ADDED,), lambda _v: {"name": "New"}),
    "admin.new_session": Change((Action.SESSION_ADDED,), _session),
    "admin.new_student": Change(
        (Action.CONSENT_GIVEN, Action.STUDENT_ADDED),
        lambda _v: {"index_number": "9", "name": "New", "consent_given_on": "2026-01-07", "consent_means": "form"},
    ),
    "admin.record_consent": Change(
        (Action.CONSENT_GIVEN,), lambda _v: {"consent_given_on": "2026-01-07", "consent_means": "form"}
    ),
    "admin.release_account": Change((Action.IDENTITY_UNLINKED,), before="an account that is bound"),
    "admin.release_student": Change((Action.IDENTITY_UNLINKED,), before="a student who is bound"),
    "admin.remove_member": Change((Action.GROUP_LEFT,)),
    "admin.remove_role": Change((Action.ROLE_TAKEN,)),
    "admin.remove_teacher": Change((Action.ROLE_TAKEN,)),
    "admin.rename_group": Change((Action.GROUP_CHANGED,), lambda _v: {"name": "Another"}),
    "admin.reset_password": Change((Action.PASSWORD_RESET, Action.TOKEN_ENDED)),
    "admin.revoke_access_token": Change((Action.TOKEN_ENDED,)),
    "admin.revoke_token": Change((Action.TOKEN_ENDED,)),
    "admin.room": Change((Action.ROOM_CHANGED,), lambda _v: {"name": "Another"}),
    "admin.rotate_token": Change((Action.TOKEN_MADE,)),
    "admin.save_account": Change((Action.ACCOUNT_CHANGED, Action.ROLE_GIVEN), _account),
    "admin.save_student": Change(
        (Action.STUDENT_RENUMBERED, Action.STUDENT_CHANGED), lambda _v: {"index_number": "77", "name": "Other"}
    ),
    "admin.save_areas": Change(
        (Action.CAMERA_CHANGED,),
        lambda _v: {"known": "e3b0c44298fc1c14", "kinds-0": "skip", "points-0": "0 0\n50 0\n0 50"},
    ),
    "admin.session": Change((Action.SESSION_CHANGED,), _session),
    "admin.show_faces": Change((Action.CAMERA_VIEWED_CLEAR,), lambda _v: {"faces": "clear"}),
    "admin.student_link": Change((Action.OWN_PAGE_LINK_MADE,)),
    "admin.unenrol": Change((Action.ENROLMENT_REMOVED,)),
    "admin.upload_photos": Change(
        (Action.PHOTOS_ADDED,), lambda _v: {"photos": _file(PHOTO, "a.jpg")}, before="consenting"
    ),
    "admin.withdraw_consent": Change((Action.CONSENT_WITHDRAWN,), before="consenting"),
    "code.check": Change(
        (Action.SIGNED_IN,),
        lambda v: {"code": v["code"]},
        by="nobody",
        before="an account with a second factor",
        first="account.sign_in_now",
    ),
    "excuses.new_excuse": Change(
        (Action.EXCUSE_ADDED,),
        lambda _v: {"first_day": "2026-12-01", "last_day": "2026-12-02", "reason": "Illness", "course": "all"},
    ),
    "excuses.take_back": Change((Action.EXCUSE_TAKEN_BACK,)),
    "forgotten.ask_for_link": Change((Action.PASSWORD_LINK_ASKED,), lambda v: {"email": v["email"]}, by="nobody"),
    "institution_labels.add": Change((Action.STATUS_ADDED,), lambda _v: LABEL),
    "institution_labels.bring_back": Change((Action.STATUS_BROUGHT_BACK,)),
    "institution_labels.label": Change((Action.STATUS_CHANGED,), lambda _v: LABEL),
    "institution_labels.remove": Change((Action.STATUS_REMOVED,)),
    "labels.add": Change((Action.STATUS_ADDED,), lambda _v: LABEL),
    "labels.bring_back": Change((Action.STATUS_BROUGHT_BACK,)),
    "labels.label": Change((Action.STATUS_CHANGED,), lambda _v: LABEL),
    "labels.remove": Change((Action.STATUS_REMOVED,)),
    "links.set_password_now": Change(
        (Action.PASSWORD_LINK_USED,),
        lambda v: {"link": v["password_link"], "new_password": NEW_PASSWORD, "repeat": NEW_PASSWORD},
        by="nobody",
        before="a link to set a password",
    ),
    "lti.end_connection": Change((Action.LTI_PERSON_DISCONNECTED,), before="connected"),
    "lti_admin.change_platform": Change((Action.LTI_PLATFORM_CHANGED,), _platform),
    "lti_admin.delete_platform": Change((Action.LTI_PLATFORM_DELETED,)),
    "lti_admin.linked_course": Change((Action.LTI_COURSE_LINKED,), lambda _v: {"course": "MA1", "gives_roles": "y"}),
    "lti_admin.new_key": Change((Action.LTI_KEY_MADE,)),
    "lti_admin.new_platform": Change((Action.LTI_PLATFORM_ADDED,), _platform),
    "lti_admin.offer_registration": Change((Action.LTI_REGISTRATION_OFFERED,)),
    "lti_admin.withdraw_registration": Change(
        (Action.LTI_REGISTRATION_WITHDRAWN,), before="an address for registering"
    ),
    "lti_admin.withdraw_key": Change(
        (Action.LTI_KEY_WITHDRAWN, Action.LTI_KEY_MADE), lambda v: {"kid": v["kid"]}, before="a key"
    ),
    "calendars.new_calendar": Change((Action.CALENDAR_ADDED,), lambda _v: CALENDAR),
    "calendars.edit_calendar": Change((Action.CALENDAR_CHANGED,), lambda _v: CALENDAR),
    "calendars.apply": Change((Action.CALENDAR_APPLIED,), before="a calendar that waits"),
    "calendars.delete_calendar": Change((Action.CALENDAR_DELETED,)),
    "feeds.make_mine": Change((Action.FEED_MADE,)),
    "feeds.end_mine": Change((Action.FEED_ENDED,), before="an account's feed"),
    "feeds.make_rooms": Change((Action.FEED_MADE,)),
    "feeds.end_rooms": Change((Action.FEED_ENDED,), before="a room's feed"),
    "me.make_calendar": Change((Action.FEED_MADE,), by="student"),
    "me.end_calendar": Change((Action.FEED_ENDED,), by="student", before="a student's feed"),
    "webhooks.new_endpoint": Change((Action.WEBHOOK_ADDED,), lambda _v: RECEIVER),
    "webhooks.endpoint": Change((Action.WEBHOOK_CHANGED,), lambda _v: RECEIVER),
    "webhooks.new_endpoint_secret": Change((Action.WEBHOOK_SECRET_RENEWED,)),
    "webhooks.turn_off": Change((Action.WEBHOOK_OFF,)),
    "webhooks.turn_on": Change((Action.WEBHOOK_ON,), after=("webhooks.turn_off",)),
    "webhooks.delete_endpoint": Change((Action.WEBHOOK_DELETED,)),
    "webhooks.ping": Change((Action.WEBHOOK_TESTED,)),
    "webhooks.send_again": Change((Action.WEBHOOK_SENT_AGAIN,), before="a webhook that failed"),
    "mail.send_again": Change((Action.MAIL_SENT_AGAIN,), before="a mail that failed"),
    "mail.send_test": Change((Action.MAIL_TESTED,)),
    "me.ask_for_link": Change(
        (Action.OWN_PAGE_LINK_ASKED,), lambda v: {"who": v["number"]}, by="nobody", before="reachable"
    ),
    "me.call_wrong": Change(
        (Action.DISPUTE_RAISED,),
        lambda _v: {"claimed": "late", "text": "I came late."},
        by="student",
        after=("me.take_back",),
    ),
    "me.give": Change((Action.CONSENT_GIVEN,), by="student"),
    "me.open_link": Change(
        (Action.OWN_PAGE_OPENED,),
        lambda v: {"link": v["student_link"], "index_number": v["number"]},
        by="nobody",
        before="a link to the own page",
    ),
    "me.propose": Change(
        (Action.PHOTO_PROPOSED,), lambda _v: {"photos": _file(PHOTO, "a.jpg")}, by="student", before="consenting"
    ),
    "me.sign_out_now": Change((Action.OWN_PAGE_LEFT,), by="student"),
    "me.take_back": Change((Action.DISPUTE_TAKEN_BACK,), by="student"),
    "me.take_photo_back": Change((Action.PHOTO_TAKEN_BACK,), by="student"),
    "me.withdraw": Change((Action.CONSENT_WITHDRAWN,), by="student", before="consenting"),
    "places.end_all": Change((Action.SIGNED_OUT, Action.SIGNED_OUT_ELSEWHERE)),
    "places.end_one": Change((Action.SIGNED_OUT_ELSEWHERE,), before="signed in elsewhere"),
    "profile.change_password": Change(
        (Action.PASSWORD_CHANGED,),
        lambda _v: {"current_password": PASSWORD, "new_password": NEW_PASSWORD, "repeat": NEW_PASSWORD},
    ),
    "profile.save_details": Change(
        (Action.ACCOUNT_CHANGED,), lambda _v: {"name": "x", "email": "me@example.edu", "your_password": PASSWORD}
    ),
    "proposals.decide": Change(
        (Action.PHOTOS_DECIDED,), lambda v: {f"photo-{v['proposal_id']}": "accept"}, before="consenting"
    ),
    "second_factor.confirm_app": Change(
        (Action.SECOND_FACTOR_ADDED,), lambda v: {"code": TOTP(v["secret"]).now()}, before="an app to be confirmed"
    ),
    "second_factor.make_codes": Change(
        (Action.SECOND_FACTOR_RENEWED,), lambda v: {"code": v["code"]}, before="a second factor of one's own"
    ),
    "second_factor.remove": Change(
        (Action.SECOND_FACTOR_REMOVED,), lambda v: {"code": v["code"]}, before="a second factor of one's own"
    ),
    "register.answer": Change((Action.DISPUTE_ANSWERED,), lambda _v: {"decision": "late", "answer": "So it is."}),
    "register.cancel": Change((Action.SESSION_CANCELLED,), lambda _v: {"reason": "ill"}),
    "register.change": Change((Action.SESSION_CHANGED,), _session),
    "register.restore": Change((Action.SESSION_RESTORED,), after=("register.cancel",)),
    "tokens.make": Change(
        (Action.TOKEN_MADE,), lambda _v: {"name": "Script", "scopes": "read", "days": "7", "your_password": PASSWORD}
    ),
    "tokens.revoke": Change((Action.TOKEN_ENDED,), before="a token of one's own"),
}  # fmt: skip
