"""The page that asks a lecturer what a link opens, and the form that takes the answer back to the platform.

It may stand in the platform's frame, where browsers keep no sign-in of ours. So the form itself holds, signed, for whom
it is; it opens nothing here, and all it can do is to have the platform insert a link of ours.
"""

from dataclasses import dataclass

from flask import Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from itsdangerous import BadData, URLSafeTimedSerializer

from attendance.database.models import Account, Course, LtiCourse, LtiPlatform
from attendance.texts import english
from webapp.account.identity import may_as, public
from webapp.account.permissions import Permission
from webapp.lti.blueprint import of_launches
from webapp.lti.claims import Choosing, Launch, LinkTarget, target_named
from webapp.lti.deep_linking.answering import link_to, signed_answer
from webapp.lti.errors import LaunchError
from webapp.lti.frames import allow_frames_of, origin_of, origins_of
from webapp.lti.services.calling import this_tools_key
from webapp.tools.languages import say_error
from webapp.tools.sealing import SealError
from webapp.tools.storage import database

_SALT = "lti deep linking"
_LIFETIME_S = 3_600
TARGETS = {
    LinkTarget.REGISTER: (
        lazy_gettext("The register"),
        lazy_gettext("The one that is filled in now, else the course's page. Students come to their own attendance."),
    ),
    LinkTarget.OWN: (
        lazy_gettext("My attendance"),
        lazy_gettext("Students come to what is recorded of them in this course, lecturers to the course's page."),
    ),
    LinkTarget.REPORT: (
        lazy_gettext("The report"),
        lazy_gettext("The course's report over the term. Students come to their own attendance."),
    ),
}
"""For each target the title that the link gets, and what is said of it."""


@dataclass(frozen=True)
class _Asked:
    """What the form holds: which platform asked, and what."""

    platform: LtiPlatform
    deployment: str
    choosing: Choosing


def check_return(platform: LtiPlatform, choosing: Choosing) -> None:
    """That a choice is sent to the platform that asked, and nowhere else.

    Raises:
        LaunchError: its address is of another host than those that are registered.
    """
    origin = origin_of(choosing.return_url)
    if origin is None or origin not in origins_of(platform):
        raise LaunchError(
            english(
                "The platform wants the choice to be sent to %(address)s, which is not registered here as one of its "
                "addresses. An administrator can add it as a further address.",
                address=origin or choosing.return_url[:100],
            )
        )


def ask(platform: LtiPlatform, launched: Launch, account: Account, course: LtiCourse | None) -> ResponseReturnValue:
    """Ask somebody who teaches the platform's course what the link opens.

    Args:
        platform: which asks.
        launched: with what it asks.
        account: of the person here.
        course: that the link is inserted into, as it is known here.
    """
    if launched.choosing is None:
        raise ValueError("a launch that asks what a link opens")
    here = database().get(Course, course.course_id) if course is not None and course.course_id else None
    database().refresh(account, ["roles"])  # this launch may have given one
    if here is not None and not may_as(account, Permission.READ, here):
        return _page(render_template("lti/no_role.html", course=here, account=account), platform, status=403)
    kept = {"p": platform.id, "d": launched.deployment, "u": launched.choosing.return_url, "a": launched.choosing.data}
    page = render_template(
        "lti/choose.html",
        offer=str(_serializer().dumps(kept)),
        platform=platform,
        there=launched.course.title or launched.course.label,
        linked=here is not None,
        targets=TARGETS,
    )
    return _page(page, platform)


@of_launches.post("/deep-link")
@public
def choose() -> ResponseReturnValue:
    """Take the choice back to the platform."""
    asked = _read(request.form.get("offer", ""))
    if asked is None:
        sentence = gettext("This took too long, or was not begun here. Choose the tool in your course again.")
        return render_template("lti/refused.html", sentence=sentence, platform=None), 400
    chosen = None if "nothing" in request.form else target_named(request.form.get("opens"))
    items = [] if chosen is None else [link_to(chosen, str(TARGETS[chosen][0]))]
    try:
        check_return(asked.platform, asked.choosing)
        token = signed_answer(asked.platform, asked.deployment, asked.choosing, items, this_tools_key(database()))
    except (LaunchError, SealError) as error:
        page = render_template("lti/refused.html", sentence=say_error(error), platform=asked.platform)
        return _page(page, asked.platform, status=403)
    address = asked.choosing.return_url
    page = render_template("lti/chosen.html", address=address, token=token, platform=asked.platform)
    return _page(page, asked.platform, returns_to=address)


def _page(page: str, platform: LtiPlatform, *, status: int = 200, returns_to: str | None = None) -> Response:
    response = make_response(page, status)
    allow_frames_of(response, platform, returns_to=returns_to)
    return response


def _read(text: str) -> _Asked | None:
    """What a form holds; None: too old, not ours, or of a platform that is not let in any more."""
    try:
        kept = _serializer().loads(text, max_age=_LIFETIME_S)
        platform_id, deployment = int(kept["p"]), str(kept["d"])
        choosing = Choosing(str(kept["u"]), None if kept["a"] is None else str(kept["a"]))
    except (BadData, KeyError, TypeError, ValueError):
        return None
    platform = database().get(LtiPlatform, platform_id)
    return _Asked(platform, deployment, choosing) if platform is not None and platform.active else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=_SALT)
