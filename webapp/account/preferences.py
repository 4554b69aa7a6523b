"""In which language and colours a person sees pages: kept in cookies, the language with the account, too."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.account.identity import signed_in_account
from webapp.account.permissions import Access, needs
from webapp.tools.languages import COOKIE as LANGUAGE_COOKIE
from webapp.tools.languages import offered
from webapp.tools.requests import safe_path
from webapp.tools.storage import begin_change
from webapp.tools.themes import COOKIE as THEME_COOKIE
from webapp.tools.themes import THEMES

blueprint = Blueprint("preferences", __name__)

_YEAR_S = 31_536_000


@blueprint.post("/language")
@needs(Access.ANYBODY)
def choose_language() -> ResponseReturnValue:
    """Answer in another language from now on; of whoever is signed in, mail is in it, too."""
    code = request.form.get("language", "")
    if code not in offered(current_app):
        abort(400)
    account = signed_in_account()
    if account is not None and account.language != code:
        db = begin_change()
        account.language = code
        db.commit()
    return keep_choice(LANGUAGE_COOKIE, code)


@blueprint.post("/theme")
@needs(Access.ANYBODY)
def choose_theme() -> ResponseReturnValue:
    """Show pages light, dark, or as the system has it."""
    theme = request.form.get("theme", "")
    if theme not in THEMES:
        abort(400)
    return keep_choice(THEME_COOKIE, theme)


def keep_choice(cookie: str, value: str) -> ResponseReturnValue:
    """Go back to the page that the person was on (the form's `next`), with the choice kept in a cookie for a year."""
    response = redirect(safe_path(request.form.get("next")) or url_for("courses.home"))
    response.set_cookie(
        cookie,
        value,
        max_age=_YEAR_S,
        httponly=True,
        samesite="Lax",
        secure=bool(current_app.config["SESSION_COOKIE_SECURE"]),
    )
    return response


@blueprint.app_context_processor
def _page_context() -> dict[str, Any]:
    return {"this_page": _this_page}


def _this_page() -> str:
    """Where a choice leads back to: this page, or the first one where this is only the answer to a form."""
    if request.method != "GET":
        adapter = current_app.url_map.bind("")
        return request.path if adapter.test(request.path, "GET") else url_for("courses.home")
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "next" or safe_path(value)]
    return f"{request.path}?{urlencode(kept)}" if kept else request.path
