"""The lecturer's own courses."""

from flask import Blueprint

blueprint = Blueprint("courses", __name__)


@blueprint.get("/")
def home() -> str:
    """Today's sessions and the courses."""
    return "courses"
