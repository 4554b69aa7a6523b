"""The administrator's pages of platforms: registering one, its courses, and the keys of this tool."""

from typing import Any

import sqlalchemy as sa
from flask import Response, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session, selectinload

from attendance.database.models import (
    AuditAction,
    ExternalIdentity,
    LtiCourse,
    LtiDeployment,
    LtiMatching,
    LtiPlatform,
    utc_now,
)
from webapp.account.identity import public
from webapp.account.noting import noted
from webapp.admin.lookup import count, fetch
from webapp.admin.questions import Question, ask
from webapp.admin.writing import begin_change, committed, taken
from webapp.lti.addresses import all_addresses
from webapp.lti.administration.forms import PlatformForm
from webapp.lti.blueprint import of_administrators, of_launches
from webapp.lti.people import system_of
from webapp.lti.registration.offers import open_offers
from webapp.lti.services import keys
from webapp.tools.storage import database

_TAKEN = lazy_gettext("Another one has this name.")
_REGISTERED = lazy_gettext("This client ID of this platform is registered already.")
_KEYS_FRESH_S = 300
_FIELDS = (
    "name", "issuer", "client_id", "keys_url", "authorisation_url", "token_url", "frame_origins", "active"
)  # fmt: skip


@of_launches.get("/keys")
@public
def published_keys() -> Response:
    """The public keys of this tool (JWKS), with which platforms look at what it signs."""
    response = jsonify(keys=[key.public for key in keys.keys(database())])
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_FRESH_S}"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@of_administrators.get("")
def platforms() -> str:
    """The platforms, what to type there, and the keys of this tool."""
    db = database()
    found = db.scalars(sa.select(LtiPlatform).order_by(LtiPlatform.name)).all()
    linked = sa.select(LtiDeployment.platform_id, sa.func.count(LtiCourse.course_id), sa.func.count())
    linked = linked.join(LtiCourse, LtiCourse.deployment_id == LtiDeployment.id).group_by(LtiDeployment.platform_id)
    kept = keys.keys(db)
    return render_template(
        "lti/platforms.html",
        platforms=found,
        courses={platform: (courses, seen) for platform, courses, seen in db.execute(linked)},
        addresses=all_addresses(),
        keys=kept,
        signs=keys.signs(kept, utc_now()),
        offers=open_offers(db, now=utc_now()),
    )


@of_administrators.route("/new", methods=["GET", "POST"])
def new_platform() -> ResponseReturnValue:
    """Register a platform."""
    form = PlatformForm()
    if form.validate_on_submit():
        db = begin_change()
        if not _taken(form, but=None):
            platform = LtiPlatform(**_values(form))
            platform.deployments = [LtiDeployment(external_id=each) for each in form.deployment_ids()]
            db.add(platform)
            if not keys.keys(db):
                keys.make_key(db, str(current_app.secret_key), now=utc_now())
            noted(AuditAction.LTI_PLATFORM_ADDED, subject=platform.name, details={"issuer": platform.issuer})
            if committed(db, form.client_id, str(_REGISTERED)):
                flash(gettext("%(name)s is added. Open a link of the tool there once to see its course here.",
                              name=platform.name), "success")  # fmt: skip
                return redirect(url_for("lti_admin.platform", platform_id=platform.id))
        db.rollback()
    page = render_template("lti/platform_form.html", form=form, platform=None, addresses=all_addresses())
    return page, 422 if form.errors else 200


@of_administrators.get("/<int:platform_id>")
def platform(platform_id: int) -> str:
    """A platform: the courses from which somebody was here."""
    found, db = fetch(LtiPlatform, platform_id), database()
    query = sa.select(LtiCourse).join(LtiCourse.deployment).where(LtiDeployment.platform_id == platform_id)
    query = query.options(selectinload(LtiCourse.course))
    query = query.order_by(LtiCourse.course_id.is_not(None), LtiCourse.label, LtiCourse.title, LtiCourse.id)
    return render_template(
        "lti/platform.html",
        platform=found,
        courses=db.scalars(query.limit(2_000)).all(),
        people=count(ExternalIdentity, ExternalIdentity.system == system_of(platform_id)),
    )


@of_administrators.route("/<int:platform_id>/change", methods=["GET", "POST"])
def change_platform(platform_id: int) -> ResponseReturnValue:
    """Change a registration, or confirm one that a platform made itself."""
    found = fetch(LtiPlatform, platform_id)
    typed = {name: getattr(found, name) for name in _FIELDS} | {"matching": found.matching.value}
    typed["active"] = found.active or found.waiting
    form = PlatformForm(data={**typed, "deployments": "\n".join(each.external_id for each in found.deployments)})
    if form.validate_on_submit():
        db = begin_change()
        if not _taken(form, but=platform_id):
            changed = [name for name, value in _values(form).items() if getattr(found, name) != value]
            for name, value in _values(form).items():
                setattr(found, name, value)
            changed += ["deployments"] if _set_deployments(db, found, form.deployment_ids()) else []
            action = AuditAction.LTI_PLATFORM_CONFIRMED if found.waiting else AuditAction.LTI_PLATFORM_CHANGED
            found.waiting = False
            noted(action, subject=found.name, details={"fields": ", ".join(changed)})
            if committed(db, form.client_id, str(_REGISTERED)):
                flash(gettext("%(name)s is saved.", name=found.name), "success")
                return redirect(url_for("lti_admin.platform", platform_id=platform_id))
        db.rollback()
    page = render_template("lti/platform_form.html", form=form, platform=found, addresses=all_addresses())
    return page, 422 if form.errors else 200


@of_administrators.route("/<int:platform_id>/delete", methods=["GET", "POST"])
def delete_platform(platform_id: int) -> ResponseReturnValue:
    """Delete a registration, with the links of its courses and people; nothing here is touched otherwise."""
    found = fetch(LtiPlatform, platform_id)
    linked = count(
        sa.join(LtiCourse, LtiDeployment, LtiCourse.deployment_id == LtiDeployment.id),
        LtiDeployment.platform_id == platform_id,
        LtiCourse.course_id.is_not(None),
    )
    back = url_for("lti_admin.platform", platform_id=platform_id)
    answer = ask(
        Question(
            title=gettext("Delete %(name)s?", name=found.name),
            consequences=[
                gettext("Links there open nothing here any more. Courses, registers and accounts stay."),
                ngettext("%(num)s course is linked.", "%(num)s courses are linked.", linked),
            ],
            button=gettext("Delete the learning platform"),
            back=back,
            crumbs=[(gettext("Learning platforms"), url_for("lti_admin.platforms")), (found.name, back)],
        )
    )
    if answer is not None:
        return answer
    db = begin_change()
    db.execute(sa.delete(ExternalIdentity).where(ExternalIdentity.system == system_of(platform_id)))
    db.execute(sa.delete(LtiPlatform).where(LtiPlatform.id == platform_id))
    noted(AuditAction.LTI_PLATFORM_DELETED, subject=found.name)
    db.commit()
    flash(gettext("%(name)s is deleted.", name=found.name), "success")
    return redirect(url_for("lti_admin.platforms"))


@of_administrators.post("/keys")
def new_key() -> ResponseReturnValue:
    """Make a key that signs from now on, once platforms have had time to fetch it."""
    db = begin_change()
    made = keys.make_key(db, str(current_app.secret_key), now=utc_now())
    noted(AuditAction.LTI_KEY_MADE, subject=made.kid)
    db.commit()
    flash(
        gettext("The key is made and published. It signs in an hour; the one before is kept for a day longer."),
        "success",
    )
    return redirect(url_for("lti_admin.platforms"))


@of_administrators.post("/keys/withdraw")
def withdraw_key() -> ResponseReturnValue:
    """Withdraw a key that somebody else may know."""
    kid = request.form.get("kid", "")
    db = begin_change()
    if not keys.withdraw_key(db, kid):
        db.rollback()
        flash(gettext("There is no such key any more."), "info")
        return redirect(url_for("lti_admin.platforms"))
    noted(AuditAction.LTI_KEY_WITHDRAWN, subject=kid)
    if not keys.keys(db):
        made = keys.make_key(db, str(current_app.secret_key), now=utc_now())
        noted(AuditAction.LTI_KEY_MADE, subject=made.kid)
    db.commit()
    flash(gettext("The key is withdrawn."), "success")
    return redirect(url_for("lti_admin.platforms"))


def _values(form: PlatformForm) -> dict[str, Any]:
    return {name: form[name].data for name in _FIELDS} | {"matching": LtiMatching(form.matching.data)}


def _taken(form: PlatformForm, *, but: int | None) -> bool:
    """Whether another platform has the name, or the client ID at the same issuer."""
    name = taken(form.name, LtiPlatform.name, str(_TAKEN), but=but)
    same = LtiPlatform.issuer == form.issuer.data
    return taken(form.client_id, LtiPlatform.client_id, str(_REGISTERED), same, but=but) or name


def _set_deployments(db: Session, platform: LtiPlatform, wanted: list[str]) -> bool:
    """Let a platform have these deployments; those that stay keep their courses. Whether any changed."""
    there = {each.external_id: each for each in platform.deployments}
    gone = [each for name, each in there.items() if name not in wanted]
    new = [name for name in wanted if name not in there]
    for each in gone:
        platform.deployments.remove(each)
    platform.deployments.extend(LtiDeployment(external_id=name) for name in new)
    db.flush()
    return bool(gone or new)
