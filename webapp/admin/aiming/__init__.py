"""The aiming view of a camera, for whoever hangs it, and the areas of its picture in which faces count."""

from webapp.admin.aiming import view

__all__ = ["view"]
