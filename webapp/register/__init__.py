"""The register of a class session."""

from webapp.register import correcting, views
from webapp.register.blueprint import blueprint

__all__ = ["blueprint", "correcting", "views"]
