"""Texts that programs send: cleaned and checked by the same rules as in forms and files."""

from typing import Any

import marshmallow as ma
from flask_babel import gettext

from attendance.tables.fields import TextRule


class RuledText(ma.fields.String):
    """A text that follows the rule of its field.

    Args:
        rule: of the field.
        optional: whether it may be empty, or white space alone.
    """

    def __init__(self, rule: TextRule, *, optional: bool = False, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._rule = rule
        self._optional = optional

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = self._rule.clean(super()._deserialize(value, attr, data, **more))
        if not text and self._optional:
            return text
        problem = self._rule.problem(text)
        if problem is not None:
            raise ma.ValidationError(gettext("%(label)s %(problem)s.", label=self.name, problem=problem))
        return text


def text_field(rule: TextRule, *, optional: bool = False, about: str = "") -> RuledText:
    """A field of a request for a text.

    Args:
        rule: of the text.
        optional: whether it may be left out or empty.
        about: what it is.
    """
    metadata: dict[str, Any] = {"description": about} if about else {}
    metadata |= {"maxLength": rule.longest}
    if not optional:
        metadata["minLength"] = 1
    return RuledText(rule, optional=optional, required=not optional, metadata=metadata)
