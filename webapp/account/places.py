"""Where one is signed in, and ending it there."""

from collections.abc import Sequence

from flask import Blueprint, abort, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.access.sign_ins import end_sign_ins, sign_ins_of
from attendance.database.models import AuditAction, SignIn, utc_now
from webapp.account.identity import current_account, this_sign_in
from webapp.account.noting import noted
from webapp.account.oidc.leaving import address_there
from webapp.account.permissions import Access, needs
from webapp.account.sign_in import signed_out
from webapp.tools.storage import begin_change, database

blueprint = needs(Access.SIGNED_IN)(Blueprint("places", __name__, url_prefix="/profile/sign-ins"))


def places() -> Sequence[SignIn]:
    """The sign-ins of whoever is signed in: this one first, then the last used first."""
    here = this_sign_in()
    found = sign_ins_of(database(), current_account(), utc_now())
    return sorted(found, key=lambda each: each is not here)


@blueprint.post("/<int:sign_in_id>/end")
def end_one(sign_in_id: int) -> ResponseReturnValue:
    """Sign out in another browser, or in this one."""
    account, here = current_account(), this_sign_in()
    if here is not None and here.id == sign_in_id:
        return signed_out()
    db = begin_change()
    ended = end_sign_ins(db, SignIn.id == sign_in_id, SignIn.account_id == account.id)
    if not ended:
        abort(404)
    noted(AuditAction.SIGNED_OUT_ELSEWHERE)
    db.commit()
    flash(gettext("You are signed out there."), "success")
    return redirect(url_for("profile.page"))


@blueprint.post("/end")
def end_all() -> ResponseReturnValue:
    """Sign out everywhere, here too."""
    account, there, db = current_account(), address_there(), begin_change()
    noted(AuditAction.SIGNED_OUT_ELSEWHERE)
    end_sign_ins(db, SignIn.account_id == account.id)
    db.commit()
    return signed_out(gettext("You are signed out everywhere."), there=there)
