"""Of whom the institution requires a second factor: until they have one, they open only the page that sets it up."""

from flask import Flask, abort, current_app, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from attendance.database.models import Account
from attendance.settings.web import SecondFactorRule
from webapp.account.identity import needed, signed_in_account, this_sign_in
from webapp.account.oidc.room import oidc_settings
from webapp.account.permissions import Access
from webapp.tools.requests import wants_page

_OPEN = frozenset({"account.sign_out_now", "profile.picture"})
_ROOM = "second_factor."


def init_requirement(app: Flask) -> None:
    """Lead those of whom a second factor is required to the page that sets one up."""
    app.before_request(_require_second_factor)


def is_required_of(account: Account) -> bool:
    """Whether somebody may not sign in with the password alone; through the provider: without a second step here."""
    rule: SecondFactorRule = current_app.config["ATTENDANCE"].web.second_factor
    return rule is SecondFactorRule.EVERYBODY or (rule is SecondFactorRule.ADMINISTRATORS and account.administers)


def _require_second_factor() -> Response | None:
    endpoint = request.endpoint
    if endpoint is None or endpoint == "static" or endpoint in _OPEN or endpoint.startswith(_ROOM):
        return None
    if needed() in (Access.ANYBODY, Access.STUDENT):
        return None
    account = signed_in_account()
    if account is None or account.second_factor_since is not None or not is_required_of(account):
        return None
    here = this_sign_in()
    if here is not None and here.identity_id is not None and not oidc_settings().second_factor:
        return None  # the provider asks for what it wants
    if wants_page():
        return redirect(url_for("second_factor.page"))
    abort(403, gettext("Your institution requires a second step at the sign-in. Set it up on your profile first."))
