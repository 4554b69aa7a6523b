"""For load balancers and monitoring: is the dashboard able to work?"""

from flask import Blueprint
from flask.typing import ResponseReturnValue

from webapp.account.identity import public
from webapp.tools.storage import database_answers

PATH = "/healthz"

blueprint = Blueprint("health", __name__)


@blueprint.get(PATH)
@public
def check() -> ResponseReturnValue:
    """200 when the database answers, 503 when it does not, within two seconds; a word as plain text."""
    if not database_answers():
        return "database unavailable\n", 503, {"Content-Type": "text/plain"}
    return "ok\n", 200, {"Content-Type": "text/plain"}
