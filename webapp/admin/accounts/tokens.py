"""Tokens of programs, everybody's: which there are, when each was used last, and ending one."""

import sqlalchemy as sa
from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from attendance.database.access.access_tokens import access_tokens
from attendance.database.models import AccessToken, Account, utc_now
from webapp.account.tokens import SCOPE_WORDS, end_token
from webapp.admin.blueprint import blueprint
from webapp.admin.search import matches, searched
from webapp.tools.paging import paginate
from webapp.tools.storage import database

_A_PAGE = 50


@blueprint.get("/tokens")
def tokens() -> str:
    """The list; `?q=` searches the names of tokens and of those who made them."""
    text = searched()
    query = access_tokens(matches(text, AccessToken.name, Account.name, Account.email)).join(AccessToken.account)
    return render_template(
        "admin/tokens.html",
        page=paginate(database(), query, size=_A_PAGE),
        text=text,
        scope_words=SCOPE_WORDS,
        now=utc_now(),
    )


@blueprint.post("/tokens/<int:token_id>/revoke")
def revoke_access_token(token_id: int) -> ResponseReturnValue:
    """End somebody's token at once."""
    if not end_token(token_id, sa.true()):
        abort(404)
    flash(_("The token is revoked. Programs that use it are let in no more."), "success")
    return redirect(url_for("admin.tokens"))
