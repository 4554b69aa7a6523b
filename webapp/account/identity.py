"""Who is signed in, and what that lets them open.

The cookie holds a random token; the sign-in itself is a row (`attendance.database.access.sign_ins`), of an account or
of a student, and one statement a request reads it.

A program has no cookie but a token (`webapp.account.bearer`), and acts for the account that made it: what is said here
of whoever is signed in holds for it too, narrowed by its scopes and courses.

Every page wants a signed-in account unless its view is marked `@public`, and an administrator unless it says with
`needs` what is enough: nothing is open by being forgotten.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from attendance.database.access.accounts import note_sign_in
from attendance.database.access.sign_ins import (
    USE_NOTED,
    Browser,
    ThroughProvider,
    begin_sign_in,
    clear_away,
    counts,
    end_sign_ins,
    goes_on,
    locked_sign_in_of,
    note_use,
    sign_in_of,
    through_provider,
)
from attendance.database.models import Account, AccountRole, Course, Role, SignIn, Student, utc_now
from webapp.account.bearer import access_token, has_scope, only_courses, scope_of_view
from webapp.account.browsers import browser_name
from webapp.account.permissions import PERMISSIONS, Access, Permission, need_of, needs
from webapp.account.throttle import network_of
from webapp.tools.requests import of_interface, wants_page
from webapp.tools.storage import begin_change, database, engine_of

_TOKEN = "sign_in"  # noqa: S105 - of the cookie's part in which it stands
_CODE_WITHIN = timedelta(minutes=5)
"""For so long a right password waits for the second factor."""

public = needs(Access.ANYBODY)
"""Mark a view that needs no sign-in."""


def init_identity(app: Flask) -> None:
    """Close every view that is not public to whoever is not signed in, or may not open it."""
    app.before_request(_require_sign_in)
    app.before_request(_require_permission)


def sign_in(person: Account | Student, *, through: ThroughProvider | None = None) -> None:
    """Sign somebody in at this browser; what it held before, another's sign-in too, ends.

    Args:
        person: who.
        through: the institution's provider; None: with a password or a link.
    """
    settings = current_app.config["ATTENDANCE"]
    is_account = isinstance(person, Account)
    hours, minutes = settings.web.signin_hours, settings.students.signin_minutes
    lifetime = timedelta(hours=hours) if is_account else timedelta(minutes=minutes)
    _begin(person, lifetime, awaits_code=False, through=through)
    if is_account:
        note_sign_in(database(), person.id, utc_now())


def sign_in_again(account: Account) -> None:
    """Sign the same person in at the same browser, after a change that ended the sign-in, or with the second factor."""
    found = this_sign_in()
    sign_in(account, through=None if found is None else through_provider(database(), found))


def begin_half_sign_in(account: Account, *, through: ThroughProvider | None = None) -> None:
    """Keep that the password, or the provider's word, was right, until the second factor is; nothing is open yet."""
    _begin(account, _CODE_WITHIN, awaits_code=True, through=through)


def sign_out() -> None:
    """End the sign-in of this browser, and forget what else it held."""
    token = session.get(_TOKEN)
    found = sign_in_of(database(), token) if isinstance(token, str) else None
    if found is not None:
        db = begin_change()
        end_sign_ins(db, SignIn.id == found.id)
        db.commit()
    session.clear()


def this_sign_in() -> SignIn | None:
    """The sign-in of this browser that counts, whole or half; None for nobody, and when it has ended."""
    if of_interface():
        return None
    token = session.get(_TOKEN)
    if "sign_in" not in g or g.sign_in[0] != token:
        g.sign_in = token, _load(token)
    found: SignIn | None = g.sign_in[1]
    return found


def signed_in_account() -> Account | None:
    """The lecturer who is signed in, or for whom a program asks; or None."""
    if of_interface():
        token = access_token()
        return None if token is None else token.account
    found = this_sign_in()
    return None if found is None or found.awaits_code else found.account


def signed_in_student() -> Student | None:
    """The student who is signed in to the own page, or None."""
    found = this_sign_in()
    return None if found is None else found.student


def half_signed_in_account() -> Account | None:
    """Whose password was right at this browser, and whose second factor is missing; None: nobody's."""
    found = this_sign_in()
    return found.account if found is not None and found.awaits_code else None


def forget_ended_sign_in() -> bool:
    """Whether this browser was signed in until its sign-in ended, which is forgotten with this."""
    return session.pop(_TOKEN, None) is not None


def current_account() -> Account:
    """The lecturer who is signed in; for views that are not public."""
    lecturer = signed_in_account()
    if lecturer is None:
        abort(401)
    return lecturer


def begin_own_change() -> Session:
    """What `storage.begin_change` begins, for what lets people in: a password, an address, a second factor.

    Whoever's sign-in has ended since the request began is refused (401): a request that was on its way while its owner
    took the account back must not take it away again.
    """
    token = str(session.get(_TOKEN))
    db = begin_change()
    found = locked_sign_in_of(db, token)
    if found is None or not counts(found, utc_now()):
        db.rollback()
        abort(401)
    g.sign_in = token, found
    return db


def sign_in_goes_on() -> Callable[[Session], bool]:
    """Of this request's sign-in, what answers that last ask at each look: does it count still?"""
    token = str(session.get(_TOKEN))
    return lambda db: goes_on(db, token, utc_now())


def is_admin() -> bool:
    """Whether an administrator is signed in, who reaches everything; no program does that is for some courses only."""
    account = signed_in_account()
    return account is not None and account.administers and only_courses() is None


def roles_with(permission: Permission) -> Sequence[AccountRole]:
    """The roles of whoever is signed in that allow it; none where nobody is, or the program's scopes leave it out."""
    account = signed_in_account()
    if account is None or not has_scope(permission):
        return []
    return [role for role in account.roles if permission in PERMISSIONS[role.role]]


def may(permission: Permission, course: Course | None = None) -> bool:
    """Whether whoever is signed in may do something in a course; without one, anywhere."""
    roles = roles_with(permission)
    return bool(roles) if course is None else any(_holds_in(role, course) for role in roles)


def may_as(account: Account, permission: Permission, course: Course) -> bool:
    """Whether an account may do something in a course, whoever is signed in."""
    return any(permission in PERMISSIONS[role.role] and _holds_in(role, course) for role in account.roles)


def needed() -> Permission | Access:
    """What the view of this request wants; where it says nothing, an administrator."""
    need = None if request.endpoint is None else need_of(current_app, request.endpoint)
    return Permission.ADMINISTER if need is None else need


def _holds_in(role: AccountRole, course: Course) -> bool:
    only = only_courses()
    if only is not None and course.id not in only:
        return False
    of_department = role.department_id is not None and role.department_id == course.department_id
    return bool(role.everywhere) or of_department or role.course_id == course.id


def _begin(
    person: Account | Student, lifetime: timedelta, *, awaits_code: bool, through: ThroughProvider | None
) -> None:
    address = network_of(request.remote_addr) if request.remote_addr else ""
    browser = Browser(address, browser_name(request.user_agent.string))
    sign_out()
    db = begin_change()
    session[_TOKEN] = begin_sign_in(
        db, person, now=utc_now(), lifetime=lifetime, browser=browser, awaits_code=awaits_code, through=through
    )
    db.commit()


def _load(token: object) -> SignIn | None:
    found = sign_in_of(database(), token) if isinstance(token, str) else None
    if found is None:
        return None
    now, engine = utc_now(), engine_of(current_app)
    if counts(found, now):
        if now - found.used_at >= USE_NOTED:
            database().commit()  # the connection: it is written with another
            note_use(engine, found, now)
        return found
    database().commit()
    clear_away(engine, found)
    return None


def _require_sign_in() -> Response | None:
    if request.endpoint is None or request.endpoint == "static":
        return None
    # A student's page asks for the student itself (`webapp.me.identity`).
    if needed() in (Access.ANYBODY, Access.STUDENT) or signed_in_account() is not None:
        return None
    if of_interface():
        abort(401, _("A token is needed, and this one is none that counts: see /api."))
    if this_sign_in() is None and forget_ended_sign_in():
        g.session_ended = True
        session.clear()
    if wants_page():
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        if half_signed_in_account() is not None:
            return redirect(url_for("code.page", next=target if target != "/" else None))
        ended = "1" if g.get("session_ended") else None
        return redirect(url_for("account.sign_in_page", next=target if target != "/" else None, ended=ended))
    abort(401)


def _require_permission() -> None:
    """Refuse what somebody may nowhere; `reach` finds only what they may where.

    What belongs to a course answers as what does not exist, so that nobody learns which courses there are. Whoever may
    read nothing yet gets empty pages.
    """
    if request.endpoint is None or request.endpoint == "static":
        return
    need = needed()
    if isinstance(need, Permission) and not has_scope(need):
        abort(403, _("The token lacks the scope “%(scope)s”.", scope=scope_of_view()))
    if isinstance(need, Access) or need is Permission.READ or may(need):
        return
    if need not in PERMISSIONS[Role.DEPARTMENT] | PERMISSIONS[Role.LECTURER] | PERMISSIONS[Role.ASSISTANT]:
        abort(403)  # administrators' own
    rule = request.url_rule
    if rule is not None and rule.arguments - (rule.defaults or {}).keys():  # the path names something
        abort(404)
    abort(403, _("Your role does not include this. Ask an administrator if you need it."))
