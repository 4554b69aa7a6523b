"""The keys with which this tool signs its requests to platforms.

A new key is published at once, and signs an hour later: platforms that keep what they fetched have it by then. The one
before signs until then, and is published for a day longer. One that somebody else may know is withdrawn at once.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from joserfc.jwk import RSAKey
from sqlalchemy.orm import Session

from attendance.database.models import LtiKey
from webapp.tools.sealing import seal, unseal

SIGNS_AFTER = timedelta(hours=1)
KEPT_AFTER = timedelta(days=1)
_BITS = 3072
_PURPOSE = "lti key"


@dataclass(frozen=True)
class SigningKey:
    """The key that signs now."""

    kid: str
    key: RSAKey


def make_key(db: Session, web_secret: str, *, now: datetime) -> LtiKey:
    """Make a key, in the caller's transaction, and forget those whose day is over.

    Args:
        db: begun with `begin_writing`.
        web_secret: with which the private part is sealed.
        now: aware.
    """
    key = RSAKey.generate_key(_BITS, {"use": "sig", "alg": "RS256"})
    kid = key.thumbprint()  # RFC 7638
    private = json.dumps(key.as_dict(private=True)).encode()
    public: dict[str, Any] = {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": "RS256"}
    row = LtiKey(kid=kid, public=public, sealed=seal(private, web_secret, purpose=_PURPOSE), made_at=now)
    db.add(row)
    db.flush()
    kept = keys(db)
    signs = _signs(kept, now)
    over = [one.kid for one in kept if one.made_at < signs.made_at and signs.made_at + SIGNS_AFTER + KEPT_AFTER < now]
    db.execute(sa.delete(LtiKey).where(LtiKey.kid.in_(over)))
    return row


def withdraw_key(db: Session, kid: str) -> bool:
    """Forget a key at once, in the caller's transaction; False: there is none of that name."""
    return bool(db.connection().execute(sa.delete(LtiKey).where(LtiKey.kid == kid)).rowcount)


def keys(db: Session) -> Sequence[LtiKey]:
    """All keys that are published, the newest first."""
    return db.scalars(sa.select(LtiKey).order_by(LtiKey.made_at.desc(), LtiKey.kid)).all()


def signing_key(db: Session, web_secret: str, *, now: datetime) -> SigningKey:
    """The key that signs at a moment; where there is none, one is made, in the caller's transaction.

    Raises:
        SealError: it was sealed with another web secret.
    """
    kept = keys(db) or [make_key(db, web_secret, now=now)]
    row = _signs(kept, now)
    return SigningKey(row.kid, private_part(row, web_secret))


def private_part(row: LtiKey, web_secret: str) -> RSAKey:
    """The private part of a key.

    Raises:
        SealError: it was sealed with another web secret.
    """
    return RSAKey.import_key(json.loads(unseal(row.sealed, web_secret, purpose=_PURPOSE)))


def signs(kept: Sequence[LtiKey], now: datetime) -> str | None:
    """The name of the key that signs at a moment; None where there is none."""
    return _signs(kept, now).kid if kept else None


def _signs(kept: Sequence[LtiKey], now: datetime) -> LtiKey:
    """The newest that is known long enough; where none is, the oldest."""
    known = [one for one in kept if one.made_at + SIGNS_AFTER <= now]
    return known[0] if known else kept[-1]
