"""How close rows of lists stand: a person's choice, kept by the browser; long registers are compact by themselves."""

from enum import StrEnum

from flask import Blueprint, Flask, abort, request
from flask.typing import ResponseReturnValue

from webapp.account.permissions import Access, needs
from webapp.account.preferences import keep_choice

_COOKIE = "attendance_density"
_LONG = 60
"""A list of more rows is compact unless somebody wants it otherwise."""


class Density(StrEnum):
    """How close rows stand."""

    COMFORTABLE = "comfortable"
    COMPACT = "compact"


blueprint = needs(Access.SIGNED_IN)(Blueprint("density", __name__))


def init_density(app: Flask) -> None:
    """Let templates ask, and people choose."""
    app.jinja_env.globals["density"] = density
    app.register_blueprint(blueprint)


def density(rows: int = 0) -> str:
    """What the person chose; without a choice, what suits a list of so many rows."""
    chosen = request.cookies.get(_COOKIE)
    if chosen in set(Density):
        return str(chosen)
    return (Density.COMPACT if rows > _LONG else Density.COMFORTABLE).value


@blueprint.post("/density")
def choose() -> ResponseReturnValue:
    """Keep the choice, and go back to the list."""
    chosen = request.form.get("density")
    if chosen not in set(Density):
        abort(400)
    return keep_choice(_COOKIE, chosen)
