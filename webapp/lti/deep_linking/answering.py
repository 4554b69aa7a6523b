"""The answer to a platform that asked what a link is to open: signed by this tool (LtiDeepLinkingResponse)."""

import secrets
import time
from typing import Any

from joserfc import jwt

from attendance.database.models import LtiPlatform
from webapp.lti.addresses import launch_address
from webapp.lti.claims import (
    DEEP,
    DEPLOYMENT,
    LINK_TYPE,
    LTI_VERSION,
    MESSAGE_TYPE,
    OPENS,
    VERSION,
    Choosing,
    LinkTarget,
)
from webapp.lti.services.keys import SigningKey

RESPONSE = "LtiDeepLinkingResponse"
_LASTS_S = 300


def link_to(opens: LinkTarget, title: str) -> dict[str, Any]:
    """A link of the course that opens this in a window of its own (content item `ltiResourceLink`).

    Args:
        opens: what.
        title: how it is called in the course.
    """
    return {
        "type": LINK_TYPE,
        "title": title,
        "url": launch_address(),
        "custom": {OPENS: opens.value},
        "window": {"targetName": "_blank"},
    }


def signed_answer(
    platform: LtiPlatform, deployment: str, choosing: Choosing, items: list[dict[str, Any]], key: SigningKey
) -> str:
    """What is sent back as the form's field `JWT`.

    Args:
        platform: which asked.
        deployment: of the tool there, as the request named it.
        choosing: what it asked.
        items: the links to insert; none where nothing was chosen.
        key: with which this tool signs now.
    """
    now = int(time.time())
    said: dict[str, Any] = {
        "iss": platform.client_id,
        "aud": platform.issuer,
        "iat": now,
        "exp": now + _LASTS_S,
        "nonce": secrets.token_urlsafe(24),
        "jti": secrets.token_urlsafe(24),  # which Canvas wants
        DEPLOYMENT: deployment,
        MESSAGE_TYPE: RESPONSE,
        VERSION: LTI_VERSION,
        DEEP + "content_items": items,
    }
    if choosing.data is not None:
        said[DEEP + "data"] = choosing.data
    return jwt.encode({"alg": "RS256", "kid": key.kid}, said, key.key)
