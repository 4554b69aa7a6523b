"""A launch: the platform sends a browser here, we send it back to sign in there, and its answer opens a register."""

from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Response, current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from attendance.database.audit.noting import THE_STUDENT, note
from attendance.database.models import Account, AuditAction, Course, LtiCourse, LtiPlatform, Student, utc_now
from attendance.texts import english
from webapp.account.identity import begin_half_sign_in, may_as, public, sign_in
from webapp.account.permissions import Permission
from webapp.lti import connecting, logins
from webapp.lti.addresses import choosing_address, launch_address
from webapp.lti.blueprint import of_launches
from webapp.lti.claims import ClaimPart, Launch, LinkTarget, read_launch
from webapp.lti.courses import deployment_of, note_course, session_running, takes
from webapp.lti.deep_linking import choosing
from webapp.lti.errors import LaunchError
from webapp.lti.frames import allow_frames_of, is_framed, keep_opener
from webapp.lti.people import give_role_of, known_as
from webapp.lti.tokens import Expected, PlatformKeys, verified_claims
from webapp.tools.languages import say_error
from webapp.tools.storage import begin_change, database

_PASSED_ON = ("iss", "login_hint", "lti_message_hint", "client_id", "lti_deployment_id")
_LONGEST_GIVEN = 3_000
"""Characters of all of these: with them an address must stay one that servers take."""
_KEYS = "attendance_lti_keys"


def platform_keys() -> PlatformKeys:
    """The keys of platforms, as this process knows them."""
    keys: PlatformKeys = current_app.extensions.setdefault(_KEYS, PlatformKeys())
    return keys


@of_launches.route("/login", methods=["GET", "POST"])
@public
def login() -> ResponseReturnValue:
    """Begin a sign-in that a platform asks for (third-party initiated login)."""
    given = {name: request.values[name] for name in _PASSED_ON if request.values.get(name)}
    try:
        platform = _platform_named(given)
    except LaunchError as error:
        return _refused(error, None)
    again = f"{url_for('lti.login')}?{urlencode(given)}"
    if is_framed() and request.values.get("target_link_uri") != choosing_address():
        return _framed(render_template("lti/new_window.html", address=again, platform=platform), platform)
    login, state, secret = logins.begin_login(platform.id)
    asked: dict[str, str] = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": platform.client_id,
        "redirect_uri": launch_address(),
        "state": state,
        "nonce": login.nonce,
        **{name: given[name] for name in ("login_hint", "lti_message_hint") if name in given},
    }
    mark = "&" if "?" in platform.authorisation_url else "?"
    response = make_response(redirect(f"{platform.authorisation_url}{mark}{urlencode(asked)}"))
    logins.keep_in_browser(response, login, secret, framed=is_framed(), again=again)
    keep_opener(response)
    return response


@of_launches.post("/launch")
@public
def launch() -> ResponseReturnValue:
    """Take the platform's answer, and open what the person may open."""
    platform: LtiPlatform | None = None
    try:
        login, cookie_hash = logins.read_state(request.form.get("state", ""))
        platform = database().get(LtiPlatform, login.platform_id)
        if platform is None or not platform.active:
            raise LaunchError(english("This platform is not, or no more, one whose launches are let in."))
        if not logins.is_this_browsers(login, cookie_hash):
            raise LaunchError(
                english("Your browser did not keep the cookie with which this began. Open the link in a new window.")
            )
        response = make_response(_let_in(platform, login))
    except LaunchError as error:
        return _refused(error, platform)
    logins.forget_in_browser(response, login, framed=is_framed())
    return response


def _platform_named(given: dict[str, str]) -> LtiPlatform:
    """The platform that asks for a sign-in.

    Raises:
        LaunchError: it is none of ours, or says too much or too little.
    """
    if "iss" not in given or "login_hint" not in given or sum(map(len, given.values())) > _LONGEST_GIVEN:
        raise LaunchError(english("This address is for learning platforms: open the link in your course there."))
    query = sa.select(LtiPlatform).where(LtiPlatform.issuer == given["iss"], LtiPlatform.active)
    if "client_id" in given:
        query = query.where(LtiPlatform.client_id == given["client_id"])
    found = database().scalars(query.limit(2)).all()
    if len(found) != 1:
        raise LaunchError(
            english("No learning platform is registered here that calls itself so. Ask an administrator.")
        )
    return found[0]


def _let_in(platform: LtiPlatform, login: logins.Login) -> ResponseReturnValue:
    """Verify the answer, find out who that is here, and sign them in.

    Raises:
        LaunchError: it is not let in.
    """
    error = request.form.get("error")
    if error:
        raise LaunchError(english("The platform did not sign you in (%(error)s).", error=error[:100]))
    expected = Expected(platform.issuer, platform.client_id, login.nonce)
    keys_url = platform.keys_url
    database().commit()  # the connection: the platform may be asked for its keys
    claims = verified_claims(
        request.form.get("id_token", ""), expected, lambda kid: platform_keys().find(keys_url, kid)
    )
    launched = read_launch(claims)
    if launched.choosing is not None:
        choosing.check_return(platform, launched.choosing)
    db = begin_change()
    deployment = deployment_of(platform, launched.deployment)
    if deployment is None:
        raise LaunchError(
            english(
                "The tool's deployment %(id)s is not registered here. Ask an administrator.", id=launched.deployment
            )
        )
    if not logins.use_nonce(db, login.nonce, now=utc_now()):
        raise LaunchError(english("This launch was used already. Open the link in the course again."))
    course = note_course(db, deployment, launched, now=utc_now())
    known = known_as(db, platform, launched.person)
    if known.account is not None and course is not None:
        give_role_of(db, known.account, course, launched.part)
    db.commit()
    if launched.choosing is not None:
        return _choose(platform, launched, known.account, course, login)
    if launched.part is not ClaimPart.STUDIES and known.account is not None:
        return _as_account(known.account, course, platform, launched.opens)
    if known.student is not None:
        return _as_student(known.student, platform, course if launched.opens is LinkTarget.OWN else None)
    if launched.part in (ClaimPart.TEACHES, ClaimPart.ASSISTS):
        return connecting.ask(platform, launched, course)
    return _stranger(platform, launched)


def _choose(
    platform: LtiPlatform, launched: Launch, account: Account | None, course: LtiCourse | None, login: logins.Login
) -> ResponseReturnValue:
    """Ask what the link opens that somebody inserts. Whoever is not known here connects first, as for a launch."""
    if launched.part not in (ClaimPart.TEACHES, ClaimPart.ASSISTS):
        raise LaunchError(english("What a link opens is chosen by who teaches the course."))
    if account is not None:
        _check_active(account)
        return choosing.ask(platform, launched, account, course)
    if is_framed():  # where browsers keep no sign-in: connecting needs a window of its own
        page = render_template("lti/connect_first.html", address=logins.begun_at(login), platform=platform)
        return _framed(page, platform)
    return connecting.ask(platform, launched, course)


def _check_active(account: Account) -> None:
    if not account.active:
        raise LaunchError(english("Your account here may not sign in. Ask an administrator."))


def _as_account(
    account: Account, course: LtiCourse | None, platform: LtiPlatform, opens: LinkTarget
) -> ResponseReturnValue:
    _check_active(account)
    if course is None or course.course_id is None:
        return render_template("lti/not_linked.html", course=course, platform=platform), 403
    here = database().get_one(Course, course.course_id)
    database().refresh(account, ["roles"])
    if not may_as(account, Permission.READ, here):
        return render_template("lti/no_role.html", course=here, account=account), 403
    target = _target(account, here, opens)
    if account.administers:
        # Who may everything comes in by what is asked for here, and not by what another system says.
        return redirect(url_for("account.sign_in_page", next=target))
    if account.second_factor_since is not None:
        begin_half_sign_in(account)
        return redirect(url_for("code.page", next=target))
    db = begin_change()
    note(db, AuditAction.SIGNED_IN, actor=account.id, details={"platform": platform.name})
    db.commit()
    sign_in(account)
    return redirect(target)


def _target(account: Account, here: Course, opens: LinkTarget) -> str:
    """The page that a link opens for somebody who may open the course."""
    if opens is LinkTarget.REPORT and may_as(account, Permission.TERM, here):
        return url_for("reports.course", course_id=here.id)
    running = session_running(database(), here.id, now=utc_now()) if opens is LinkTarget.REGISTER else None
    return url_for("register.page", session_id=running.id) if running else url_for("courses.course", course_id=here.id)


def _as_student(student: Student, platform: LtiPlatform, course: LtiCourse | None) -> ResponseReturnValue:
    """Sign a student in. Args: course: whose entries alone are shown, where the student takes it; None: all."""
    if not current_app.config["ATTENDANCE"].students.own_page:
        return render_template("lti/student.html", platform=platform, known=True), 403
    db = begin_change()
    details = {"platform": platform.name}
    note(db, AuditAction.OWN_PAGE_OPENED, actor=THE_STUDENT, student=student.index_number, details=details)
    db.commit()
    sign_in(student)
    taken = course is not None and course.course_id is not None and takes(database(), student.id, course.course_id)
    return redirect(url_for("me.home", course=course.course_id) if course and taken else url_for("me.home"))


def _stranger(platform: LtiPlatform, launched: Launch) -> ResponseReturnValue:
    studies = launched.part is ClaimPart.STUDIES
    return render_template("lti/student.html" if studies else "lti/no_part.html", platform=platform, known=False), 403


def _refused(error: LaunchError, platform: LtiPlatform | None) -> ResponseReturnValue:
    database().rollback()
    page = render_template("lti/refused.html", sentence=say_error(error), platform=platform)
    return _framed(page, platform, status=403) if platform is not None else (page, 400)


def _framed(page: str, platform: LtiPlatform, status: int = 200) -> Response:
    response = make_response(page, status)
    allow_frames_of(response, platform)
    return response
