"""Where a feed is read: the address that people give their calendar programs."""

from flask import url_for

from webapp.tools.requests import site_address


def address_of(token: str) -> str:
    """The whole address of a feed; the secret is a parameter, which no log of ours holds."""
    return f"{site_address()}{url_for('feeds.read')}?key={token}"
