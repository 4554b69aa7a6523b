"""Light or dark: what a person chose, or what the system of the browser has."""

from typing import Any

from flask import Flask, request

from attendance.texts import english

COOKIE = "attendance_theme"
SYSTEM = "system"
THEMES = {SYSTEM: english("As the system"), "light": english("Light"), "dark": english("Dark")}
"""By what the cookie holds, the word for people."""


def init_themes(app: Flask) -> None:
    """Tell every page which one was chosen."""
    app.context_processor(_page_context)


def _page_context() -> dict[str, Any]:
    chosen = request.cookies.get(COOKIE, SYSTEM)
    return {"theme": chosen if chosen in THEMES else SYSTEM, "themes": THEMES}
