"""Pseudo-languages, for developers: English with accents and brackets, so that a text that was forgotten is seen.

They take the dates and numbers of languages that the product does not speak otherwise; one runs from right to left.
"""

import re

from babel.support import NullTranslations

LANGUAGES = {"eo": "[Pšéüđö]", "he": "[Pšéüđö, right to left]"}

_ACCENTED = str.maketrans("aceghinorsuwyzAEINOSUZ", "åçéğħíñöřšüŵýžÅÉÎÑÖŠÛŽ")
# What stays: placeholders, and tags with their attributes.
_KEPT = re.compile(r"(%\(\w+\)[sd]|%%|\{\w+\}|<[^>]*>)")


class PseudoTranslations(NullTranslations):
    """A catalogue of everything: each text gets accents and stands in brackets."""

    def gettext(self, message: str) -> str:
        """The text with accents, in brackets."""
        return pseudo(message)

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """The form for the number, likewise."""
        return pseudo(msgid1 if n == 1 else msgid2)

    def pgettext(self, context: str, message: str) -> str:
        """A text that stands in a context, likewise."""
        return pseudo(message)

    ugettext, ungettext, upgettext = gettext, ngettext, pgettext


def pseudo(message: str) -> str:
    """A text as the pseudo-languages say it: "Save" becomes "[Šåvé]"."""
    parts = _KEPT.split(message)
    return "[" + "".join(part if number % 2 else part.translate(_ACCENTED) for number, part in enumerate(parts)) + "]"
