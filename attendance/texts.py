"""Texts of the core that a page may show: English, and ready to be said in another language.

The core knows no language but English. What it says to a person is a `Text`: a string, so that commands and logs print
it as it is, which remembers its pattern and what was filled in. Pages translate it where they show it
(`webapp.tools.languages`), by the pattern, whose translation stands in the catalogues (`webapp/translations`).
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Text(str):
    """An English text, with what a translation of it is made from.

    Attributes:
        pattern: the text before anything was filled in, with `%(name)s` for each value.
        plural: the pattern for other numbers than 1; None where the text does not depend on a number.
        values: what was filled in, by name; one may be a `Text` itself.
    """

    __slots__ = ("pattern", "plural", "values")

    pattern: str
    plural: str | None
    values: dict[str, Any]

    @classmethod
    def of(cls, pattern: str, plural: str | None, values: dict[str, Any]) -> "Text":
        """The text that a pattern and values give; `values["num"]` chooses between pattern and plural."""
        chosen = pattern if plural is None or values["num"] == 1 else plural
        made = cls(chosen % {name: _english(value) for name, value in values.items()} if values else chosen)
        made.pattern, made.plural, made.values = pattern, plural, values
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled and copied with all it remembers."""
        return Text.of, (self.pattern, self.plural, self.values)


def english(pattern: str, /, **values: Any) -> Text:
    """A text with values filled in.

    As in `english("There is no room called %(room)s.", room=name)`.

    A whole number is written as 1,234, a date as Mon 23 Nov 2026; hand a number that is a name over as a string.
    """
    return Text.of(pattern, None, values)


def english_count(one: str, many: str, /, num: int, **values: Any) -> Text:
    """A text that depends on a number, as in `english_count("%(num)s line", "%(num)s lines", len(lines))`."""
    return Text.of(one, many, {"num": num, **values})


def english_list(separator: str, texts: Sequence[str]) -> Text:
    """Texts in a row, each of which is translated by itself."""
    values = {f"text{number}": text for number, text in enumerate(texts)}
    return Text.of(separator.replace("%", "%%").join(f"%({name})s" for name in values), None, values)


def to_plain(text: str) -> Any:
    """A text as plain values, for JSON; `from_plain` reads them."""
    if not isinstance(text, Text):
        return text
    values = {
        name: {"day": value.isoformat()}
        if isinstance(value, date)
        else to_plain(value)
        if isinstance(value, str)
        else value
        for name, value in text.values.items()
    }
    return {"text": text.pattern, "plural": text.plural, "values": values}


def from_plain(value: Any) -> Any:
    """The text that `to_plain` wrote; anything else as it is."""
    if not isinstance(value, dict):
        return value
    if "day" in value:
        return date.fromisoformat(value["day"])
    return Text.of(value["text"], value["plural"], {name: from_plain(each) for name, each in value["values"].items()})


def date_text(day: date) -> str:
    """A date in English, never to be taken for another one: "Mon 23 Nov 2026"."""
    return f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]} {day.year}"


def _english(value: Any) -> Any:
    if type(value) is int:
        return f"{value:,}"
    return date_text(value) if isinstance(value, date) and not isinstance(value, datetime) else value
