"""The administrator's page of a platform's course: which course it is here, and what goes to and fro."""

import sqlalchemy as sa
from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.models import AuditAction, Course, LtiCourse, LtiRate
from attendance.tables.errors import TableError
from attendance.tables.fields import clean
from webapp.account.noting import noted
from webapp.admin.importing.runs import keep_trial
from webapp.admin.lookup import count, fetch
from webapp.admin.writing import begin_change
from webapp.imports.files import new_name
from webapp.lti.administration.forms import CourseLinkForm
from webapp.lti.blueprint import of_administrators
from webapp.lti.errors import PlatformError
from webapp.lti.services.rates import send_rates
from webapp.lti.services.roster import fetch_members, roster_files
from webapp.tools.fields import institutions_rule
from webapp.tools.languages import say_error
from webapp.tools.sealing import SealError
from webapp.tools.storage import database

_OFFERED = 2_000


@of_administrators.route("/courses/<int:lti_course_id>", methods=["GET", "POST"])
def linked_course(lti_course_id: int) -> ResponseReturnValue:
    """Link a platform's course with one here, or end that."""
    found = fetch(LtiCourse, lti_course_id)
    code = found.course.code if found.course else _same_code(found)
    form = CourseLinkForm(data={"course": code, "gives_roles": found.gives_roles, "sends_rates": found.sends_rates})
    if form.validate_on_submit():
        typed = clean(form.course.data or "")
        db = begin_change()
        course = db.scalar(sa.select(Course).where(Course.code == typed)) if typed else None
        if typed and course is None:
            db.rollback()
            form.course.errors = [gettext("There is no course with the code %(code)s.", code=typed)]
        else:
            _link(found, course, form)
            db.commit()
            flash(gettext("The link is saved."), "success")
            return redirect(url_for("lti_admin.linked_course", lti_course_id=lti_course_id))
    return course_page(found, form), 422 if form.errors else 200


@of_administrators.post("/courses/<int:lti_course_id>/roster")
def fetch_roster(lti_course_id: int) -> ResponseReturnValue:
    """Fetch who takes the platform's course, and show what that would change."""
    found = _linked(lti_course_id)
    back = redirect(url_for("lti_admin.linked_course", lti_course_id=lti_course_id))
    try:
        members = fetch_members(database(), found)
        files = roster_files(database(), found, members, institutions_rule())
        token = new_name()
        keep_trial([(file, found.course_id) for file in files], together=token)
    except (PlatformError, SealError, TableError) as error:
        flash(say_error(error), "error")
        return back
    return redirect(url_for("admin.together_report", token=token))


@of_administrators.post("/courses/<int:lti_course_id>/rates")
def send_rates_now(lti_course_id: int) -> ResponseReturnValue:
    """Send the rates that changed, now."""
    found = _linked(lti_course_id)
    name, details = found.deployment.platform.name, {"platform": found.deployment.platform.name}
    code = found.course.code if found.course else ""
    try:
        sent = send_rates(database(), lti_course_id)
    except (PlatformError, SealError) as error:
        flash(say_error(error), "error")
        return redirect(url_for("lti_admin.linked_course", lti_course_id=lti_course_id))
    db = begin_change()
    noted(AuditAction.LTI_RATES_SENT, subject=code, details={**details, "lines": sent.sent})
    db.commit()
    flash(
        ngettext(
            "%(num)s rate is sent to %(platform)s.", "%(num)s rates are sent to %(platform)s.", sent.sent, platform=name
        ),
        "success",
    )
    if sent.unknown:
        flash(
            ngettext(
                "Of %(num)s student it is not known who that is there. Fetch the roster first.",
                "Of %(num)s students it is not known who they are there. Fetch the roster first.",
                sent.unknown,
            ),
            "warning",
        )
    return redirect(url_for("lti_admin.linked_course", lti_course_id=lti_course_id))


def _linked(lti_course_id: int) -> LtiCourse:
    """A platform's course that is linked with one here, else 404."""
    found = fetch(LtiCourse, lti_course_id)
    if found.course_id is None:
        abort(404)
    return found


def course_page(found: LtiCourse, form: CourseLinkForm) -> str:
    """The page, with this form."""
    offered = sa.select(Course.code, Course.name).order_by(Course.code).limit(_OFFERED)
    return render_template(
        "lti/linked_course.html",
        linked=found,
        platform=found.deployment.platform,
        form=form,
        courses=database().execute(offered).all(),
        rates=count(LtiRate, LtiRate.lti_course_id == found.id),
    )


def _link(found: LtiCourse, course: Course | None, form: CourseLinkForm) -> None:
    """Write the link, in the transaction that has begun. Another course has another column of grades."""
    course_id = course.id if course else None
    if course_id != found.course_id:
        found.line_item_url = found.rates_sent_at = found.problem = None
        database().execute(sa.delete(LtiRate).where(LtiRate.lti_course_id == found.id))
    found.course_id = course_id
    found.gives_roles = bool(form.gives_roles.data and course)
    found.sends_rates = bool(form.sends_rates.data and course)
    details: dict[str, str | int] = {
        "platform": found.deployment.platform.name,
        "course": course.code if course else "-",
    }
    details |= {"fields": ", ".join(name for name in ("gives_roles", "sends_rates") if getattr(found, name))}
    noted(AuditAction.LTI_COURSE_LINKED, subject=found.label or found.title or found.external_id, details=details)


def _same_code(found: LtiCourse) -> str:
    """The code of a course here that is the platform's label: offered, and linked by nobody yet."""
    return (
        database().scalar(sa.select(Course.code).where(Course.code == clean(found.label))) or "" if found.label else ""
    )
