"""Tokens of cameras and programs: made here, shown once, kept as hashes."""

import hashlib
import secrets

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ApiToken, Camera


def new_token(kind: str) -> str:
    """Make a token with 256 random bits.

    Args:
        kind: says what the token is for to whoever finds it, e.g. "cam".
    """
    return f"{kind}_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """The hash under which a token is kept: SHA-256, lower-case hexadecimal.

    A password needs a slow hash because it can be guessed; 256 random bits cannot.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


def camera_of(db: Session, token: str) -> Camera | None:
    """The camera that the token belongs to; None when it is unknown or revoked."""
    return db.scalar(sa.select(Camera).where(Camera.token_hash == hash_token(token)))


def api_token_of(db: Session, token: str) -> ApiToken | None:
    """What is known of an operator's token; None when it is unknown or revoked."""
    return db.scalar(sa.select(ApiToken).where(ApiToken.token_hash == hash_token(token)))


def all_token_hashes(db: Session) -> frozenset[str]:
    """The hashes of every token that opens something now."""
    cameras = sa.select(Camera.token_hash).where(Camera.token_hash.is_not(None))
    return frozenset(hash for hash in db.scalars(cameras) if hash) | frozenset(
        db.scalars(sa.select(ApiToken.token_hash))
    )
