"""Asking who is signed in for the password once more, before what a stranger at an open browser must not do.

Who has none, and came through the institution's provider, must have done so just now.
"""

from datetime import timedelta

from flask_babel import gettext
from wtforms import Field

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.models import Account, utc_now
from webapp.account.identity import this_sign_in
from webapp.account.oidc.room import oidc_settings, provider_name, takes_password
from webapp.account.sign_in import begin_attempt, end_attempt, password_is_right, wait_text
from webapp.account.throttle import Attempt

_JUST_NOW = timedelta(minutes=10)


def ask_password(account: Account, field: Field, empty: str) -> Attempt | None:
    """Look at the password that was typed, as slowly as at the sign-in; what is wrong is the field's error.

    Args:
        account: whose it should be.
        field: in which it was typed.
        empty: the error where nothing was.

    Returns:
        The attempt, where the person must wait before the next one.
    """
    if not has_password(account):
        if not oidc_settings().on:
            field.errors = [gettext("You have no password here. Ask an administrator for a link to set one.")]
        elif not came_just_now():
            field.errors = [
                gettext(
                    "You have no password here. Sign out, sign in at %(provider)s, and do this within ten minutes.",
                    provider=provider_name(),
                )
            ]
        return None
    if not field.data:
        field.errors = [empty]
        return None
    attempt = begin_attempt(account.email, account.password_hash)
    if attempt.wait_s:
        field.errors = [wait_text(attempt)]
        return attempt
    right = password_is_right(account.password_hash, field.data)
    end_attempt(attempt, right=right)
    if not right:
        field.errors = [gettext("This is not your current password.")]
    return None


def has_password(account: Account) -> bool:
    """Whether somebody signs in with a password; else only through the institution's provider."""
    return account.password_hash != NO_PASSWORD and takes_password(account.email)


def came_just_now() -> bool:
    """Whether whoever asks signed in through the provider within the last minutes."""
    here = this_sign_in()
    return here is not None and here.identity_id is not None and signed_in_just_now()


def signed_in_just_now() -> bool:
    """Whether whoever asks signed in within the last minutes, in whatever way."""
    here = this_sign_in()
    return here is not None and utc_now() - here.made_at < _JUST_NOW
