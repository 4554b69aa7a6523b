"""The health history of a camera: a page with charts, and files."""

from webapp.admin.camera_health import page

__all__ = ["page"]
