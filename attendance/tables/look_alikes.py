"""Letters of one script among those of another: an address or number that no eye tells from somebody else's."""

import unicodedata

from attendance.texts import english

# Of these, most letters look like one of another's. "Single script" of Unicode Technical Standard 39, section 5.2, for
# them; scripts that nobody takes for each other may stand together.
_ALIKE = ("LATIN", "CYRILLIC", "GREEK")
# Small letters of which the small or the capital form looks like a Latin one (confusables.txt of the same standard).
_LATIN_FOR = str.maketrans(
    "авсеніјкморѕтухαβεζηικμνορτυχ",
    "abcehijkmopstyxabezhikmnoptyx",
)


def latin_look(folded: str) -> str:
    """A text without capitals with Latin letters where others look like them."""
    return folded.translate(_LATIN_FOR)


def mixed_scripts(text: str) -> str | None:
    """Why a text that is told from others by eye mixes letters that look alike, or None.

    Returns:
        The rest of a sentence that starts with the field's name.
    """
    names = [unicodedata.name(character, "") for character in text if character.isalpha()]
    found = [script for script in _ALIKE if any(name.startswith(f"{script} ") for name in names)]
    if len(found) < 2:  # one is no mixture
        return None
    return english(
        "%(text)s mixes letters that look alike (%(scripts)s); type it anew on one keyboard",
        text=repr(text),
        scripts=", ".join(script.capitalize() for script in found),
    )
