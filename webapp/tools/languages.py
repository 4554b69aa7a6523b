"""The language of pages: what each request is answered in.

Templates call `_("...")` and `ngettext(...)`; Python calls `flask_babel.gettext`, and `lazy_gettext` where a text is
made before a request.
"""

from flask import Flask, request
from flask_babel import Babel

LANGUAGES = {"en": "English"}
"""By code of the language, its name in itself; the first is that of the texts in the code."""


def init_languages(app: Flask) -> None:
    """Answer each request in the language that its browser prefers, of those that there are."""
    Babel(app, locale_selector=_preferred)


def _preferred() -> str:
    return request.accept_languages.best_match(LANGUAGES) or next(iter(LANGUAGES))
