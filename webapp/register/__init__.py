"""The register of a class session."""

from webapp.register import answering, bulk, by_hand, changing, correcting, held, views
from webapp.register.blueprint import blueprint

__all__ = ["answering", "blueprint", "bulk", "by_hand", "changing", "correcting", "held", "views"]
