"""The blueprint of the students' own page."""

from flask import Blueprint

blueprint = Blueprint("me", __name__, url_prefix="/me")
