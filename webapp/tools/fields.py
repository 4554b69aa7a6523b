"""What forms have in common: cleaning and checking what was typed."""

from collections.abc import Callable

from wtforms import Field, Form
from wtforms.validators import StopValidation

from attendance.tables.fields import TextRule


class Fits:
    """The text must follow the rule of its field (a validator); the browser is told how long it may be.

    Args:
        rule: of the field.
        message: said in place of what the rule says.
    """

    def __init__(self, rule: TextRule, message: str | None = None) -> None:
        self._rule = rule
        self._message = message
        self.field_flags = {"maxlength": rule.longest}

    def __call__(self, _form: Form, field: Field) -> None:
        """Check the field."""
        problem = self._rule.problem(field.data or "")
        if problem is not None:
            raise StopValidation(self._message or f"{field.label.text} {problem}.")


def cleaned(rule: TextRule) -> Callable[[str | None], str]:
    """What cleans a text as its field's rule says (a filter)."""
    return lambda text: rule.clean(text or "")
