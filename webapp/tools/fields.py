"""What forms have in common: cleaning and checking what was typed."""

import unicodedata

from wtforms import Field, Form, ValidationError

from attendance.tables.fields import clean


def squeezed(value: str | None) -> str | None:
    """The text with its ends trimmed, white space made single, and letters composed (a filter for form fields)."""
    return None if value is None else clean(value)


def lower_case(value: str | None) -> str | None:
    """The text in lower case without space around it (a filter; e-mail addresses are stored so)."""
    return None if value is None else value.strip().lower()


def printable(_form: Form, field: Field) -> None:
    """Refuse control characters and halves of characters, which names do not have (a validator)."""
    if any(unicodedata.category(character) in ("Cc", "Cs", "Cn") for character in field.data or ""):
        raise ValidationError("This has characters that cannot be shown. Type it again.")
