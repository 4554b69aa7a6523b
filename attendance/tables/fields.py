"""What may stand in a field, for CSV files and for the administrators' forms alike."""

import unicodedata

# Column lengths of attendance.database.models.
LONGEST_INDEX_NUMBER = 64
LONGEST_NAME = 120
LONGEST_COURSE_CODE = 32
LONGEST_COURSE_NAME = 160
LONGEST_EMAIL = 254
LONGEST_ROOM_NAME = 80
LONGEST_CAMERA_NAME = 80
LONGEST_MEANS = 120
LONGEST_GROUP = 80

# Zero-width joiner and non-joiner belong to the spelling of Persian and Indic names.
_JOINERS = "\u200c\u200d"


def clean(text: str) -> str:
    """The text composed (NFC), without space around it and with single spaces inside.

    "Zoe\u0308" and "Zo\u00eb" look the same and must be the same; spreadsheets leave no-break spaces behind.
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def text_problem(text: str, *, longest: int, identifier: bool = False) -> str | None:
    """Why a cleaned text cannot be kept, or None.

    Args:
        text: cleaned.
        longest: most characters allowed.
        identifier: whether it must be told from others by eye, so that no invisible character may hide in it.

    Returns:
        The rest of a sentence that starts with the field's name: "is empty", "has 130 characters; at most 120 fit".
    """
    if not text:
        return "is empty"
    if len(text) > longest:
        return f"has {len(text)} characters; at most {longest} fit"
    for character in text:
        if character == "\ufffd":
            return "holds a \ufffd, the sign of a letter that was lost when the file was saved in a wrong encoding"
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
            if not identifier and character in _JOINERS:
                continue
            return f"holds an invisible character (U+{ord(character):04X})"
    return None
