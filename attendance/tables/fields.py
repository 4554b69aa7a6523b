"""What may stand in a field of text: one rule a field, for tables, forms and commands alike."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from attendance.patterns import Pattern
from attendance.tables.index_numbers import damage_or_danger
from attendance.tables.look_alikes import mixed_scripts
from attendance.texts import english

# Zero-width joiner and non-joiner belong to the spelling of Persian and Indic names.
_JOINERS = "\u200c\u200d"
# Marks that say in which direction text runs (Unicode Standard Annex 9): left-to-right, right-to-left and Arabic letter
# mark, embeddings with their end, isolates with theirs. Programs leave them around copied names; a name is the same
# without. The two overrides (U+202D, U+202E) show letters in another order than they are written: they stay, and are
# refused.
_DIRECTION_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u061c\u202a\u202b\u202c\u2066\u2067\u2068\u2069"))
_UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")
# What a spreadsheet shows, and saves, in place of a value that it could not find or compute, in its user's language
# (#N/A, #REF!, #ADR!, #NAME?, Err:502), or that is too wide for its column (########).
_SPREADSHEET_ERROR = re.compile(r"#N/[AD]|#[^\Wa-z]+(?:/[^\Wa-z]+)?[!?]|Err:\d{3}|#{2,}")


def clean(text: str) -> str:
    """The text composed (NFC), without space around it and with single spaces inside.

    "Zoe\u0308" and "Zo\u00eb" look the same and must be the same; spreadsheets leave no-break spaces behind.
    """
    return " ".join(compose(text).split())


def compose(text: str) -> str:
    """The text with accents as one letter each (NFC): some file systems spell \u00e9 as e and an accent."""
    return unicodedata.normalize("NFC", text)


def without_direction_marks(text: str) -> str:
    """The text without marks of writing direction, which nobody sees."""
    return text.translate(_DIRECTION_MARKS)


@dataclass(frozen=True)
class TextRule:
    """What may stand in one field of text, on one line.

    Attributes:
        longest: most characters; as many as its column of the database has.
        identifier: whether it is told from others by eye or typed again, so that nothing invisible may hide in it.
        lower: whether it is kept in lower case.
        further: what else is wrong with a text that fits: the rest of a sentence, or None.
    """

    longest: int
    identifier: bool = False
    lower: bool = False
    further: Callable[[str], str | None] | None = None

    def clean(self, text: str) -> str:
        """The text as it is kept: composed, with single spaces; of a name, without marks of writing direction."""
        if not self.identifier:
            text = without_direction_marks(text)
        text = clean(text)
        return text.lower() if self.lower else text

    def problem(self, text: str) -> str | None:
        """Why a text cannot be kept as it is, or None.

        Args:
            text: what `clean` gave, or what came as it is, such as the name of a folder.

        Returns:
            The rest of a sentence that starts with the field's name: "is empty", "has 130 characters; at most 120 fit".
        """
        if not text:
            return english("is empty")
        if len(text) > self.longest:
            return english("has %(length)s characters; at most %(longest)s fit", length=len(text), longest=self.longest)
        return self._hidden(text) or _spacing(text) or _lost(text) or (self.further(text) if self.further else None)

    def _hidden(self, text: str) -> str | None:
        for character in text:
            if character == "\ufffd":
                return english(
                    "holds a �, the sign of a letter that was lost when the file was saved in a wrong encoding"
                )
            category = unicodedata.category(character)
            if category in _UNSEEN and (self.identifier or character not in _JOINERS):
                code = f"{ord(character):04X}"
                if category == "Cc":
                    return english("holds a control or invisible character (U+%(code)s)", code=code)
                return english("holds an invisible character (U+%(code)s)", code=code)
        return None


def _spacing(text: str) -> str | None:
    if text != text.strip():
        return english("starts or ends with a space")
    return None if text == " ".join(text.split()) else english("holds a space that is not a single, plain one")


def _lost(text: str) -> str | None:
    return (
        english("%(text)s is a spreadsheet's error, not a value", text=text)
        if _SPREADSHEET_ERROR.fullmatch(text)
        else None
    )


def _no_address(text: str) -> str | None:
    # Whether a domain takes mail, and whether anybody reads it there, is not for this machine to ask.
    try:
        validate_email(text, check_deliverability=False, test_environment=True)
        if unicodedata.normalize("NFKC", text) != text:  # full-width letters and the like: mail goes to the plain ones
            raise EmailNotValidError
    except EmailNotValidError:
        return english("%(text)s is no e-mail address, like name@university.edu", text=repr(text))
    # People have addresses in their script at a host in another.
    mixed = (mixed_scripts(part) for part in re.split("[@.]", text))
    return next(filter(None, mixed), None)


# The language of RFC 5646, with a script or a region if need be: fr, pt-br, zh-hant.
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")


def _no_language(text: str) -> str | None:
    if _LANGUAGE.fullmatch(text):
        return None
    return english("%(text)s is no code of a language, like en or fr", text=repr(text))


def index_number_rule(pattern: str = "") -> TextRule:
    """What may be an index number at an institution: the one rule of forms, tables, folders and pickles.

    Args:
        pattern: the setting `institution.index_pattern`; empty for any.

    Raises:
        ValueError: the pattern is none.
    """
    compiled = Pattern(pattern) if pattern else None

    def further(text: str) -> str | None:
        problem = damage_or_danger(text)
        if problem is None and compiled is not None and not compiled.matches(text):
            return english(
                "%(text)s does not look like the index numbers here (%(pattern)s)", text=repr(text), pattern=pattern
            )
        return problem

    return TextRule(64, identifier=True, further=further)


INDEX_NUMBER = index_number_rule()
"""Where the institution does not say what index numbers look like."""
PERSON_NAME = TextRule(120)
EMAIL = TextRule(254, identifier=True, lower=True, further=_no_address)
LANGUAGE = TextRule(16, identifier=True, lower=True, further=_no_language)
COURSE_CODE = TextRule(32, identifier=True)
COURSE_NAME = TextRule(160)
ROLE_WORD = TextRule(40, lower=True)  # of a person
DEPARTMENT_NAME = TextRule(120, identifier=True)
ROOM_NAME = TextRule(80, identifier=True)
CAMERA_NAME = TextRule(80, identifier=True)
WEBHOOK_NAME = TextRule(80, identifier=True)
CALENDAR_NAME = TextRule(80, identifier=True)
TOKEN_NAME = TextRule(80, identifier=True)
CONSENT_MEANS = TextRule(120)
DECLARED_GROUP = TextRule(80)
CORRECTION_REASON = TextRule(500)
REMARK = TextRule(500)
GROUP_NAME = TextRule(80, identifier=True)  # of a course
BREAK_NAME = TextRule(80)
SESSION_NOTE = TextRule(500)
SERIES_UID = TextRule(190, identifier=True)
STATUS_LABEL_NAME = TextRule(40)
STATUS_LABEL_LETTER = TextRule(2)
EXCUSE_REASON = TextRule(500)
EXCUSE_REFERENCE = TextRule(120)
DISPUTE_TEXT = TextRule(500)  # why a student calls an entry wrong
DISPUTE_ANSWER = TextRule(500)
HELD_ANSWER = TextRule(500)  # why a sighting that was held is accepted or refused
REJECTION_REASON = TextRule(500)  # of a proposed photo
