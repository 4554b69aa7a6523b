"""Texts that programs send: cleaned and checked by the same rules as in forms and files."""

from typing import Any

import marshmallow as ma
from flask_babel import gettext

from attendance.tables.fields import INDEX_NUMBER, TextRule


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


def text_field(rule: TextRule, *, optional: bool = False, left_out: bool = False, about: str = "") -> RuledText:
    """A field of a request for a text.

    Args:
        rule: of the text.
        optional: whether it may be left out or empty.
        left_out: whether it may be left out, so that it stays as it is; but not be empty.
        about: what it is.
    """
    metadata: dict[str, Any] = {"description": about} if about else {}
    metadata |= {"maxLength": rule.longest}
    if not optional:
        metadata["minLength"] = 1
    return RuledText(rule, optional=optional, required=not (optional or left_out), metadata=metadata)


_PLAIN = TextRule(INDEX_NUMBER.longest, identifier=True)
"""What any index number is that there was, whatever the institution's rule is today."""


class IndexNumber(ma.fields.String):
    """The index number of a student, cleaned; where it is another than before the institution's rule checks it.

    Args:
        left_out: whether it may be left out, so that it stays as it is.
    """

    def __init__(self, *, left_out: bool = False) -> None:
        metadata = {"minLength": 1, "maxLength": INDEX_NUMBER.longest}
        super().__init__(required=not left_out, metadata=metadata)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> str:
        text = INDEX_NUMBER.clean(super()._deserialize(value, attr, data, **more))
        problem = _PLAIN.problem(text)
        if problem is not None:
            raise ma.ValidationError(gettext("%(label)s %(problem)s.", label=self.name, problem=problem))
        return text


def text_or_none(rule: TextRule, *, about: str = "") -> RuledText:
    """A field of a request for a text that there need not be: null and an empty text say that there is none."""
    metadata = {"description": about} if about else {}
    return RuledText(rule, optional=True, allow_none=True, metadata={**metadata, "maxLength": rule.longest})
