"""The part of a form that sets a password."""

from flask_wtf import FlaskForm
from wtforms import PasswordField, ValidationError
from wtforms.validators import DataRequired, EqualTo

from attendance.database.access.passwords import password_problem


class NewPasswordForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A new password, typed twice."""

    new_password = PasswordField("New password", validators=[DataRequired("Type a new password.")])
    repeat = PasswordField(
        "New password again", validators=[EqualTo("new_password", "The two new passwords are not the same.")]
    )

    def validate_new_password(self, field: PasswordField) -> None:
        """The rules for passwords."""
        problem = password_problem(field.data or "")
        if problem:
            raise ValidationError(problem)
