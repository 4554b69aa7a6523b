"""Going to the provider and coming back, without a browser's screen."""

from urllib.parse import urlsplit

from werkzeug.test import TestResponse

from tests.webapp.account.oidc.hostile import HostileProvider
from tests.webapp.visiting import Visitor

START = "/signin/provider"


def way_back(visitor: Visitor, provider: HostileProvider, start: str = START) -> str:
    """Go to the provider and sign in there; the path that the answer calls here."""
    there = visitor.get(start)
    assert there.status_code == 302, there.text
    assert there.location.startswith(f"{provider.address}/authorize?")
    back = urlsplit(provider.authorize(there.location))
    assert back.path == "/signin/provider/callback"
    return f"{back.path}?{back.query}"


def come_in(visitor: Visitor, provider: HostileProvider, start: str = START) -> TestResponse:
    """Go to the provider, sign in there and come back; the answer to that."""
    return visitor.get(way_back(visitor, provider, start))
