"""The blueprint of the administrator's pages: nobody else opens any of them."""

from flask import Blueprint

from webapp.account.identity import require_admin

blueprint = Blueprint("admin", __name__)
blueprint.before_request(require_admin)
