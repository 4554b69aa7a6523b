"""The register of a class session."""

from webapp.register import bulk, correcting, views
from webapp.register.blueprint import blueprint

__all__ = ["blueprint", "bulk", "correcting", "views"]
