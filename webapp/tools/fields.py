"""What forms have in common: cleaning and checking what was typed."""

from collections import Counter
from collections.abc import Callable, Iterator

from flask import Flask, current_app
from flask_babel import gettext
from wtforms import Field, FieldList, Form
from wtforms.validators import StopValidation

from attendance.tables.fields import INDEX_NUMBER, TextRule, index_number_rule

_RULE = "INDEX_NUMBER_RULE"


def init_fields(app: Flask, index_pattern: str) -> None:
    """Give the application the institution's rule of index numbers."""
    app.config[_RULE] = index_number_rule(index_pattern)


def institutions_rule() -> TextRule:
    """What may be an index number here."""
    rule: TextRule = current_app.config[_RULE]
    return rule


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
            raise StopValidation(
                self._message or gettext("%(label)s %(problem)s.", label=field.label.text, problem=problem)
            )


class FitsIndexNumbers(Fits):
    """The text must be what index numbers look like here (a validator)."""

    def __init__(self) -> None:
        super().__init__(INDEX_NUMBER)

    def __call__(self, form: Form, field: Field) -> None:
        """Check the field by the rule of the application that answers."""
        Fits(institutions_rule())(form, field)


def cleaned(rule: TextRule) -> Callable[[str | None], str]:
    """What cleans a text as its field's rule says (a filter)."""
    return lambda text: rule.clean(text or "")


class ErrorSummary:
    """Of a form: its errors as a list that stands above it."""

    __iter__: Callable[..., Iterator[Field]]  # the form's

    def summary(self) -> list[tuple[str, str]]:
        """The id of each wrong field and what is wrong there; with the field's name, where others say the same."""
        fields = [each for field in self for each in (field.entries if isinstance(field, FieldList) else [field])]
        wrong = [(field, str(message)) for field in fields for message in field.errors]
        said = Counter(message for _, message in wrong)
        return [
            (field.id, message if said[message] == 1 else f"{field.label.text}: {message}") for field, message in wrong
        ]
