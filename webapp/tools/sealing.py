"""Secrets that lie in the database, sealed with a key made from the web secret: a copy of the database opens none."""

import base64
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from attendance.errors import AttendanceError
from attendance.texts import english

_NONCE_BYTES = 12  # NIST SP 800-38D, section 8.2.2, with a random one


class SealError(AttendanceError):
    """A sealed secret cannot be opened: the web secret is another than when it was sealed."""


def seal(secret: bytes, web_secret: str, *, purpose: str) -> str:
    """Seal a secret: AES-256 in GCM, base64.

    Args:
        secret: what nobody reads without the web secret.
        web_secret: the application's key.
        purpose: what it is; only the same opens it again.
    """
    nonce = urandom(_NONCE_BYTES)
    sealed = AESGCM(_key(web_secret)).encrypt(nonce, secret, purpose.encode())
    return base64.b64encode(nonce + sealed).decode()


def unseal(sealed: str, web_secret: str, *, purpose: str) -> bytes:
    """What was sealed for this purpose.

    Raises:
        SealError: it was sealed with another web secret, or for another purpose.
    """
    try:
        whole = base64.b64decode(sealed, validate=True)
        return AESGCM(_key(web_secret)).decrypt(whole[:_NONCE_BYTES], whole[_NONCE_BYTES:], purpose.encode())
    except (InvalidTag, ValueError):
        raise SealError(
            english("A secret in the database cannot be opened: the web secret is another than when it was kept.")
        ) from None


def _key(web_secret: str) -> bytes:
    """RFC 5869; the web secret is long and random, so no slow hash is needed."""
    return HKDF(SHA256(), length=32, salt=None, info=b"attendance: secrets in the database").derive(web_secret.encode())
