"""The part of a form that sets a password."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, PasswordField, ValidationError
from wtforms.validators import DataRequired, EqualTo

from attendance.database.access.passwords import password_problem
from webapp.tools.languages import say


class NewPasswordForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A new password, typed twice."""

    new_password = PasswordField(
        lazy_gettext("New password"), validators=[DataRequired(lazy_gettext("Type a new password."))]
    )
    repeat = PasswordField(
        lazy_gettext("New password again"),
        validators=[EqualTo("new_password", lazy_gettext("The two new passwords are not the same."))],
    )

    end_tokens = BooleanField(lazy_gettext("Also end tokens of programs"), default=True)

    def validate_new_password(self, field: PasswordField) -> None:
        """The rules for passwords."""
        problem = password_problem(field.data or "")
        if problem:
            raise ValidationError(say(problem))
