"""The codes that an app makes: TOTP, RFC 6238, with what every app takes: SHA-1, six digits, steps of 30 seconds."""

import hmac
from datetime import datetime

import pyotp
import segno
from markupsafe import Markup

STEP_S = 30
_DIGITS = 6


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 recommends them."""
    return pyotp.random_base32()


def step_of(secret: str, typed: str, now: datetime) -> int | None:
    """The step (of `STEP_S` seconds since 1970) of which the code is, of the one before, this one and the next.

    RFC 6238, section 5.2: at most one step is allowed for the network and for clocks.

    Args:
        secret: base32.
        typed: spaces in it do not matter.
        now: aware.

    Returns:
        The step; None: it is a code of none of them, or no code at all.
    """
    code = "".join(typed.split())
    if not (code.isascii() and code.isdecimal() and len(code) == _DIGITS):
        return None
    app = pyotp.TOTP(secret, interval=STEP_S, digits=_DIGITS)
    present = int(now.timestamp()) // STEP_S
    return next((step for step in (present, present - 1, present + 1) if _is(app.generate_otp(step), code)), None)


def set_up_link(secret: str, *, email: str, institution: str) -> str:
    """What the app reads from the picture: https://github.com/google/google-authenticator/wiki/Key-Uri-Format."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=institution)


def picture_of(link: str) -> Markup:
    """A link as a QR code, for a page: SVG without styles, scripts and addresses, dark on light in any theme."""
    svg = segno.make_qr(link, error="m").svg_inline(border=4, dark="#000", light="#fff", omitsize=True)
    return Markup(svg)  # noqa: S704 - of squares; the link's text is not in it


def in_fours(secret: str) -> str:
    """A secret as people type it."""
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def _is(right: str, code: str) -> bool:
    return hmac.compare_digest(right, code)
