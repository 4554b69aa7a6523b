"""Looking at a code that somebody typed: slowed down by a count of its own, as passwords are; each is good for once."""

from flask import Flask, current_app, request
from flask_babel import gettext, lazy_gettext
from flask_wtf import FlaskForm
from wtforms import Field, StringField
from wtforms.validators import DataRequired, Length

from attendance.database.access.second_factors import factor_of, use_recovery_code, use_step
from attendance.database.models import Account, utc_now
from webapp.account.second_factor.codes import step_of
from webapp.account.sign_in import wait_text
from webapp.account.throttle import Attempt, Limits, Throttle
from webapp.tools.storage import begin_change, database, engine_of

_THROTTLE = "attendance_code_throttle"
# Three codes of a million are right at any moment. Ten guesses in a quarter of an hour, day and night, are a chance of
# 0.3 % a day, for who knows the password already.
_CODES = Limits(pair=5, account=10, address=60)


class CodeForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A code of the app, or a recovery code."""

    code = StringField(
        lazy_gettext("Code"),
        validators=[
            DataRequired(lazy_gettext("Type the code that the app shows.")),
            Length(max=40, message=lazy_gettext("This is no code.")),
        ],
    )


def init_codes(app: Flask) -> None:
    """Give the application, which has its database and its key, the count of wrong codes."""
    app.extensions[_THROTTLE] = Throttle(engine_of(app), str(app.secret_key), limits=_CODES, purpose="code ")


def check_code(account: Account, field: Field) -> Attempt | None:
    """Look at a code of the account's app, or a recovery code, and use it; what is wrong is the field's error.

    Returns:
        The attempt, where the person must wait before the next one.
    """
    throttle: Throttle = current_app.extensions[_THROTTLE]
    since = account.second_factor_since
    database().commit()  # counting takes a connection of its own, and may wait
    attempt = throttle.begin(f"{account.id} {since.isoformat() if since else ''}", request.remote_addr)
    if attempt.wait_s:
        field.errors = [wait_text(attempt)]
        return attempt
    if _use(account.id, field.data or ""):
        throttle.forgive(attempt)
        return None
    throttle.fail(attempt)
    field.errors = [gettext("This code is not right, or was used already. The app shows a new one every half minute.")]
    return None


def _use(account_id: int, typed: str) -> bool:
    db = begin_change()
    factor = factor_of(db, account_id)
    step = step_of(factor.secret, typed, utc_now()) if factor is not None and factor.secret else None
    if step is not None:
        used = use_step(db, account_id, step)
    else:
        used = factor is not None and use_recovery_code(db, account_id, typed)
    db.commit()
    return used
