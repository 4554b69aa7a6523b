"""The recognition services on pages: where each is, which index it searches, and which needs attention."""

from webapp.admin.services import page

__all__ = ["page"]
