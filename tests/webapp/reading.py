"""Reading a page as a person does: every text that is seen or read out, and which of it nobody translated."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from html.parser import HTMLParser

_UNSEEN = frozenset({"script", "style", "template"})
_MACHINE = frozenset({"code", "pre", "time"})
"""What stands in these is for machines, or written by rules of the language."""
_VOID = frozenset({"input", "img", "br", "hr", "meta", "link", "col", "source", "wbr"})
_SPOKEN = ("aria-label", "placeholder", "title", "alt", "data-label", "data-confirm", "data-busy", "aria-description")
_ADDRESS = re.compile(r"\S*(?:://|/\w+\?)\S*")
_LETTER = re.compile(r"[^\W\d_]{2,}")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.spoken: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.pieces.append(" ")
        self.spoken += [given[name] for name in _SPOKEN if given.get(name)]
        if tag == "meta" and given.get("name") == "texts":
            self.spoken += json.loads(given["content"]).values()
        if tag == "input" and given.get("type") in ("submit", "button"):
            self.spoken.append(given.get("value", ""))
        if tag not in _VOID:
            classes = given.get("class", "").split()
            hidden = tag in _UNSEEN or tag in _MACHINE or "avatar" in classes or "code" in classes
            # What is English by nature, like the description of the interface, is said to be to whoever hears the page.
            hidden = hidden or (given.get("lang") == "en" and tag != "html")
            self._open.append((tag, hidden))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            opened, _ = self._open.pop()
            if opened == tag:
                return

    def handle_data(self, data: str) -> None:
        if not any(hidden for _, hidden in self._open):
            self.pieces.append(data)


def untranslated(html: str, data: Collection[str]) -> list[str]:
    """The texts of a page in a pseudo-language that stand outside its brackets and are no data.

    Args:
        html: the page.
        data: what may stand there as it is: names, codes and other values of the database and the settings.
    """
    reader = _Reader()
    reader.feed(html)
    texts = ["".join(reader.pieces), *reader.spoken]
    return [text for each in texts for text in _outside(each, data)]


def _without(text: str, data: Iterable[str]) -> str:
    """The text without these values, the longer ones first; only those that are in it make the pattern."""
    known = sorted((value for value in data if value and value in text), key=len, reverse=True)
    return re.sub("|".join(re.escape(value) for value in known), " ", text) if known else text


def _outside(text: str, data: Collection[str]) -> Iterator[str]:
    """What stands outside the brackets, is no data, and has a word of two letters or more."""
    depth, kept = 0, []
    for letter in _without(text, (value for value in data if "[" in value or "]" in value)):
        depth += (letter == "[") - (letter == "]")
        kept.append("\n" if depth > 0 or letter == "]" else letter)
    for part in re.split(r"\n+", _ADDRESS.sub(" ", _without("".join(kept), data))):
        if _LETTER.search(part):
            yield " ".join(part.split())
