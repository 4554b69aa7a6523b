"""The blueprints: what platforms and browsers call, and the administrator's pages."""

from flask import Blueprint

from webapp.account.permissions import Permission, needs

of_launches = Blueprint("lti", __name__, url_prefix="/lti")
"""Each view says itself what it needs. Platforms send forms here without a token of ours: `app` exempts two views."""

of_administrators = needs(Permission.ADMINISTER)(Blueprint("lti_admin", __name__, url_prefix="/admin/lti"))
