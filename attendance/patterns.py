"""Regular expressions that somebody writes into a setting: they can be wrong, but never slow.

The engine is Rust's `regex`, which pydantic brings along: it takes time in proportion to the text, whatever the
expression (https://docs.rs/regex/latest/regex/#untrusted-input). Python's own takes years for `(a+)+b` and a text of
64 letters.
"""

from functools import lru_cache

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

LONGEST_PATTERN = 200
"""Characters."""


class Pattern:
    """What a whole text must look like.

    Args:
        pattern: an expression without look-around and references back, which the engine does not know.

    Raises:
        ValueError: it is none, or too long; a sentence says why.
    """

    def __init__(self, pattern: str) -> None:
        if len(pattern) > LONGEST_PATTERN:
            raise ValueError(f"has {len(pattern)} characters; at most {LONGEST_PATTERN} fit")
        _compiled(pattern)  # alone first: "a)|(b" is none, although it would be one between brackets
        self.pattern = pattern
        self._whole = _compiled(f"^(?:{pattern})$")

    def matches(self, text: str) -> bool:
        """Whether the whole of a text looks like it."""
        try:
            self._whole.validate_python(text)
        except ValidationError:
            return False
        return True


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> SchemaValidator:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].removeprefix("error: ").removeprefix("  SchemaError: ").rstrip(".")
        raise ValueError(f"is no regular expression that can be used here: {reason}") from None
