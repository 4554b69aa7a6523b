"""Where a feed is read: the address that people give their calendar programs."""

from flask import current_app, request, url_for

from attendance.settings import Settings


def site() -> str:
    """The dashboard's address as its readers reach it, without a slash at its end."""
    settings: Settings = current_app.config["ATTENDANCE"]
    return (settings.web.address or request.url_root).rstrip("/")


def address_of(token: str) -> str:
    """The whole address of a feed; the secret is a parameter, which no log of ours holds."""
    return f"{site()}{url_for('feeds.read')}?key={token}"
