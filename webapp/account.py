"""Signing in and out, and the lecturer's own profile."""

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from webapp.identity import public, sign_out

blueprint = Blueprint("account", __name__)


@blueprint.get("/signin")
@public
def sign_in_page() -> str:
    """The sign-in form."""
    return "sign in"


@blueprint.post("/signout")
def sign_out_now() -> Response:
    """End this browser's sign-in."""
    sign_out()
    return redirect(url_for("account.sign_in_page"))


@blueprint.get("/profile")
def profile() -> str:
    """The lecturer's profile."""
    return "profile"


@blueprint.get("/pictures/<digest>")
def picture(digest: str) -> str:
    """A profile picture."""
    return digest
