"""What commands check of what they are given."""

import click

from attendance.tables.fields import TextRule


def checked(rule: TextRule, what: str, text: str) -> str:
    """The text as it is kept, by the rule of its field.

    Args:
        rule: of the field.
        what: the subject of the sentence about a text that cannot be kept, e.g. "The name".
        text: as it was typed.

    Raises:
        click.ClickException: it cannot be kept.
    """
    cleaned = rule.clean(text)
    problem = rule.problem(cleaned)
    if problem is not None:
        raise click.ClickException(f"{what} {problem}.")
    return cleaned
