"""Pages that a platform may show inside its own, and no other page of ours is.

Browsers keep the cookies of a page in another's frame apart, or take none. So what is shown there holds nothing of
anybody: it leads to a window of its own, in which everything is as always.
"""

from urllib.parse import urlsplit

from flask import request
from werkzeug.wrappers import Response

from attendance.database.models import LtiPlatform
from webapp.serving.security import CONTENT_SECURITY_POLICY, FRAMED_BY_NOBODY

_FRAMES = frozenset({"iframe", "frame", "embed", "object"})


def is_framed() -> bool:
    """Whether the browser says that this answer goes into another page's frame (Fetch Metadata)."""
    return request.headers.get("Sec-Fetch-Dest", "") in _FRAMES


def allow_frames_of(response: Response, platform: LtiPlatform) -> None:
    """Let the pages of a platform frame this answer."""
    allowed = " ".join(origins_of(platform))
    policy = CONTENT_SECURITY_POLICY.replace(FRAMED_BY_NOBODY, f"frame-ancestors {allowed}")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def origins_of(platform: LtiPlatform) -> list[str]:
    """Whose pages may frame ours: the platform's own, and those that an administrator named."""
    named = [platform.issuer, platform.authorisation_url, *platform.frame_origins.split()]
    origins = [origin for origin in map(origin_of, named) if origin]
    return list(dict.fromkeys(origins)) or ["'none'"]


def origin_of(url: str) -> str | None:
    """Scheme, host and port of an address; None where it has none, or one that would mean more in the policy."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    plain = host.isascii() and all(c.isalnum() or c in ".-" for c in host)
    if parts.scheme not in ("https", "http") or not host or not plain:
        return None
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")
