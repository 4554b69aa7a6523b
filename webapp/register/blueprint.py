"""The blueprint of a class session's register."""

from flask import Blueprint

blueprint = Blueprint("register", __name__, url_prefix="/sessions/<int:session_id>")
