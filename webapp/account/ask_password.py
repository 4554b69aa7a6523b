"""Asking who is signed in for the password once more, before what a stranger at an open browser must not do."""

from flask_babel import gettext
from wtforms import Field

from attendance.database.models import Account
from webapp.account.sign_in import begin_attempt, end_attempt, password_is_right, wait_text
from webapp.account.throttle import Attempt


def ask_password(account: Account, field: Field, empty: str) -> Attempt | None:
    """Look at the password that was typed, as slowly as at the sign-in; what is wrong is the field's error.

    Args:
        account: whose it should be.
        field: in which it was typed.
        empty: the error where nothing was.

    Returns:
        The attempt, where the person must wait before the next one.
    """
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
