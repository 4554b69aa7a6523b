"""Reading a page as a person does: every text that is seen or read out, and which of it nobody translated."""

import json
import re
from collections.abc import Collection, Iterator
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
    known = sorted((value for value in data if value), key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(value) for value in known)) if known else re.compile(r"(?!)")
    texts = ["".join(reader.pieces), *reader.spoken]
    return [text for each in texts for text in _outside(pattern.sub(" ", each))]


def _outside(text: str) -> Iterator[str]:
    """What stands outside the brackets and has a word of two letters or more."""
    depth, kept = 0, []
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        kept.append("\n" if depth > 0 or letter == "]" else letter)
    for part in re.split(r"\n+", _ADDRESS.sub(" ", "".join(kept))):
        if _LETTER.search(part):
            yield " ".join(part.split())
