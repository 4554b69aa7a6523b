"""For load balancers and monitoring: is the dashboard able to work?"""

import sqlalchemy as sa
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from webapp.account.identity import public
from webapp.tools.storage import database

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
@public
def check() -> ResponseReturnValue:
    """200 when the database answers, 503 when it does not; a word as plain text."""
    try:
        database().execute(sa.select(1))
    except SQLAlchemyError:
        return "database unavailable\n", 503, {"Content-Type": "text/plain"}
    return "ok\n", 200, {"Content-Type": "text/plain"}
