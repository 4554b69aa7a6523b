"""Signatures of what is sent, by the specification Standard Webhooks, and the secrets that make them."""

import base64
import secrets
from datetime import UTC, datetime, timedelta

from standardwebhooks import Webhook

from attendance.database.models import WebhookEndpoint

BOTH_VALID = timedelta(hours=24)
"""For so long after a new secret was made the former one signs too, so that a receiver may change over at leisure."""
_SECRET_BYTES = 32
"""The specification asks for 24 to 64."""


def new_secret() -> str:
    """A secret that nobody guesses, as receivers' libraries take it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def renew_secret(endpoint: WebhookEndpoint, now: datetime) -> str:
    """Give an endpoint a new secret, and let the present one sign for a while; the new one."""
    endpoint.former_secret, endpoint.former_until = endpoint.secret, now + BOTH_VALID
    endpoint.secret = new_secret()
    return endpoint.secret


def headers_of(endpoint: WebhookEndpoint, uid: str, body: str, now: datetime) -> dict[str, str]:
    """The headers that go with a text.

    Args:
        endpoint: whose secrets sign.
        uid: of the event, the same for each attempt.
        body: the text as it is sent.
        now: aware; receivers refuse what is older than some minutes.
    """
    now = now.astimezone(UTC)  # the library takes any time for UTC
    valid = [endpoint.secret]
    if endpoint.former_secret is not None and endpoint.former_until is not None and endpoint.former_until > now:
        valid.append(endpoint.former_secret)
    return {
        "Content-Type": "application/json",
        "webhook-id": uid,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(uid, now, body) for secret in valid),
    }
