"""Index numbers: what cannot be one, and which two may be one that a spreadsheet damaged."""

import re
import unicodedata
from collections.abc import Iterable

from attendance.tables.look_alikes import latin_look, mixed_scripts
from attendance.texts import english

# What makes a spreadsheet take a cell for a formula (OWASP, "CSV Injection"), full-width forms included.
FORMULA_STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

# What spreadsheets make of long numbers: 2.4E+05, 2,4E+11, 2E+05.
_ROUNDED = re.compile(r"\d+[.,]\d+[eE][+-]?\d+|\d+[eE]\+\d+", re.ASCII)
# What programs make of a column of numbers with a gap in it: 240101.0 or 240101,0.
_WITH_DECIMALS = re.compile(r"(\d+)[.,]0+", re.ASCII)
# What spreadsheets make of numbers in a column with a separator of thousands: 240,101.
_WITH_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:[., ]\d{3})+", re.ASCII)
# What tells a spreadsheet that a cell is text, and comes along with copied cells.
_TEXT_MARK = "'"
# What programs write for a value that is not there.
_PLACEHOLDERS = frozenset(
    {"null", "nan", "none", "nil", "n/a", "n.a.", "nat", "undefined", "<na>", "(null)", "(blank)", "-nan", "inf"}
    | {"unknown", "unnamed", "noname", "no name"}  # of faces, too: face_recognition's examples call strangers Unknown
)
# Folders that operating systems, archives and network drives make beside people's own, and what a folder is called
# until somebody names it, in the languages of Windows and macOS most often seen.
_FOLDERS_OF_PROGRAMS = frozenset(
    {
        "__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found", "@eadir", "#recycle",
        "#snapshot", "found.000", "new folder", "untitled folder", "nowy folder", "folder bez nazwy", "neuer ordner",
        "nouveau dossier", "dossier sans titre", "nueva carpeta", "nuova cartella", "nova pasta", "nieuwe map",
        "ny mapp", "nov\u00e1 slo\u017eka", "\u65b0\u5efa\u6587\u4ef6\u5939",
    }
)  # fmt: skip
# A second such folder has a number behind it: "New folder (2)", "untitled folder 2".
_COUNTED = re.compile(r"\s*\(?\d+\)?$", re.ASCII)
_FILE_NAME = re.compile(
    r".+\.(?:jpe?g|jpe|jfif|png|webp|avif|hei[cf]|gif|bmp|tiff?|mp4|mov|pdf|zip|csv|xlsx?|docx?|pickle|pkl)",
    re.IGNORECASE,
)


def damage_or_danger(text: str) -> str | None:
    """Why a text that would fit cannot be an index number, or None.

    An index number stands in files that spreadsheets open, and may name the student's folder of photos, so it is
    neither a formula nor a way through folders. Slashes between its parts are the custom of many
    universities (CSC/2019/045); photos of such a student are named in a table, since no folder can have the name.

    Returns:
        The rest of a sentence that starts with the field's name.
    """
    return _nobodys(text) or _dangerous(text) or _damaged(text)


def _nobodys(text: str) -> str | None:
    folded = text.casefold()
    if folded in _PLACEHOLDERS:
        return english("%(text)s is what programs write where there is no value", text=repr(text))
    if folded in _FOLDERS_OF_PROGRAMS or _COUNTED.sub("", folded) in _FOLDERS_OF_PROGRAMS:
        return english("%(text)s is what programs call a folder of their own", text=repr(text))
    return english("%(text)s is the name of a file", text=repr(text)) if _FILE_NAME.fullmatch(text) else None


def _dangerous(text: str) -> str | None:
    if "\\" in text or any(not part or part.startswith(".") for part in text.split("/")):
        return english("%(text)s is a path", text=repr(text))
    if text.startswith(FORMULA_STARTS):
        return english("%(text)s would be a formula in a spreadsheet", text=repr(text))
    return None


def _damaged(text: str) -> str | None:
    if _ROUNDED.fullmatch(text):
        return english(
            "%(text)s is what is left after a spreadsheet rounded the index number; give the column the format "
            "“Text” and type the numbers again",
            text=repr(text),
        )
    foreign = "".join(letter for letter in text if unicodedata.category(letter) == "Nd" and not letter.isascii())
    if foreign:
        plain = "".join(str(unicodedata.decimal(letter)) for letter in foreign)
        return english(
            "%(text)s has digits of another script or width (%(foreign)s); type them as %(plain)s",
            text=repr(text),
            foreign=foreign,
            plain=plain,
        )
    return mixed_scripts(text)


def likeness_key(index_number: str) -> str:
    """The same for index numbers that differ only in capitals, in width, or in what spreadsheets drop and add.

    "S240401" and "s240401" have one key; so have "007123", "7123", "7123.0", "7,123" and "'007123".
    """
    folded = _folded(index_number).removeprefix(_TEXT_MARK)
    decimals = _WITH_DECIMALS.fullmatch(folded)
    digits = decimals[1] if decimals else _without_marks(folded)
    return digits.lstrip("0") or "0" if digits.isascii() and digits.isdecimal() else folded


def _folded(index_number: str) -> str:
    """Without capitals, and with full-width letters, and those that look like Latin ones, as plain ones."""
    return latin_look(unicodedata.normalize("NFKC", index_number).casefold())


def _without_marks(folded: str) -> str:
    text = folded.removeprefix(_TEXT_MARK)
    return re.sub(r"\D", "", text) if _WITH_THOUSANDS.fullmatch(text) else text


def likeness(index_number: str, other: str, where: str = "") -> str:
    """How two index numbers with one `likeness_key` differ, and what must be asked.

    Args:
        index_number: the one in question.
        other: one that is there.
        where: where it is, e.g. "on line 3".
    """
    folded, other_folded = _folded(index_number), _folded(other)
    if index_number.casefold() == other.casefold():
        reason = english("capitals")
    elif folded == other_folded:
        reason = english("the form of its letters")
    elif _without_marks(folded) == _without_marks(other_folded):
        reason = english("marks, which spreadsheets add")
    else:
        reason = english("zeros, which spreadsheets drop and add")
    named = {"index_number": index_number, "other": other, "reason": reason}
    if where:
        return english(
            "%(index_number)s is like %(other)s, %(where)s, but for %(reason)s. Is this another student?",
            where=where,
            **named,
        )
    return english("%(index_number)s is like %(other)s but for %(reason)s. Is this another student?", **named)


def alike(index_numbers: Iterable[str], known: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Pairs that are hardly told apart: each index number with one that came before it or is known.

    Args:
        index_numbers: those in question, in order.
        known: those there already; no pair is made of two of them.

    Returns:
        (index number, the other), at most one pair for each.
    """
    kept = set(known)
    first = {likeness_key(number): number for number in kept}
    pairs = []
    for number in index_numbers:
        other = first.setdefault(likeness_key(number), number)
        if other != number and number not in kept:
            pairs.append((number, other))
    return pairs
