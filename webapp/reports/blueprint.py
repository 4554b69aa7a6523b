"""The blueprint of the reports of courses and departments."""

from flask import Blueprint

blueprint = Blueprint("reports", __name__)
