"""The language of pages: what each request is answered in, and how it says texts and numbers.

Templates call `_("...")` and `ngettext(...)`; Python calls `flask_babel.gettext`, and `lazy_gettext` where a text is
made before a request. What the core says (`attendance.texts.Text`) is translated where a template prints it, or by
`say` elsewhere. The catalogues are read as they are written, so there is nothing to compile and nothing stale.
"""

import io
from collections.abc import Callable
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from babel import Locale, negotiate_locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, Domain, get_locale
from flask_babel.speaklater import LazyString
from markupsafe import Markup

from attendance.settings.load import SettingsError
from attendance.texts import Text
from webapp.tools import pseudo

LANGUAGES = {"en": "English", "fr": "Français"}
"""By code of the language, its name in itself; the first is that of the texts in the code."""

COOKIE = "attendance_language"
DAY_PATTERN = "EEE d MMM y"
SHORT_DAY_PATTERN = "d MMM"
CATALOGUES = Path(__file__).parents[1] / "translations"

_OFFERED = "LANGUAGES_OFFERED"
_DEFAULT = "LANGUAGE_OF_THE_INSTITUTION"
_ROUNDS_AWAY = 0.005
"""Less than this of a number does not show."""


def init_languages(
    app: Flask, *, institution: str, of_account: Callable[[], str | None], with_pseudo: bool = False
) -> None:
    """Answer each request in a language of its own.

    Args:
        app: the application.
        institution: the code of the language for those who say nothing of theirs.
        of_account: the code that the signed-in person has chosen; None for nobody, or no choice.
        with_pseudo: offer the pseudo-languages too.

    Raises:
        SettingsError: the institution's language is not one of those that there are.
    """
    offered = LANGUAGES | (pseudo.LANGUAGES if with_pseudo else {})
    if institution not in offered:
        raise SettingsError(f"institution.language: {institution!r} is none of {', '.join(offered)}")
    app.config[_OFFERED], app.config[_DEFAULT] = offered, institution
    babel = Babel(app, default_locale=institution, locale_selector=lambda: _chosen(app, of_account))
    babel.domain_instance = _Catalogues()
    app.jinja_env.finalize = _said
    app.jinja_env.globals.update(_=_template_text, gettext=_template_text, ngettext=_template_number)
    app.jinja_env.filters.update(number=number, stored=stored)
    app.context_processor(_page_context)


def offered(app: Flask) -> dict[str, str]:
    """The languages that a person may choose: by code, the name of each in itself."""
    languages: dict[str, str] = app.config[_OFFERED]
    return languages


def say(message: Any) -> str:
    """A text in the request's language, if it is one of the core's; anything else as a string."""
    if type(message) is not Text:
        return str(message)
    values = _values(message.values)
    translations = _translations(str(get_locale()))
    if message.plural is None:
        pattern = translations.ugettext(message.pattern)
    else:
        pattern = translations.ungettext(message.pattern, message.plural, message.values["num"])
    return str(pattern % values if values else pattern)


def stored(message: str | None) -> str:
    """A text that the database keeps, in the request's language: a `Text`, or what is word for word the product's."""
    if not message:
        return ""
    if type(message) is Text:
        return say(message)
    return _translations(str(get_locale())).ugettext(message) if message in _known() else message


def say_later(message: Text) -> Any:
    """A text of the core for a form that is made once: said in each request's language when it is shown."""
    return LazyString(say, message)


def say_error(error: Exception) -> str:
    """What an error says, in the request's language."""
    return say(error.args[0]) if error.args and isinstance(error.args[0], str) else str(error)


def number(value: float) -> str:
    """A number as the request's language writes it, with two decimals at most: "1,234", "1\u202f234", "1.5", "1,5"."""
    whole = round(value)
    if abs(value - whole) >= _ROUNDS_AWAY:
        return format_decimal(round(value, 2), locale=_locale(), format="#,##0.##")
    return str(whole) if -1000 < whole < 1000 else format_decimal(whole, locale=_locale())


@lru_cache(maxsize=1000)
def _percent(whole: int, locale: str) -> str:
    return format_percent(whole / 100, locale=locale)


def percent_text(whole: int) -> str:
    """A whole number of hundredths as the request's language writes it: "86%", "86\u202f%"."""
    return _percent(whole, str(_locale()))


@lru_cache(maxsize=5000)
def _day(day: date, locale: str) -> str:
    return format_date(day, DAY_PATTERN, locale=locale)


@lru_cache(maxsize=5000)
def _short_day(day: date, locale: str) -> str:
    return format_date(day, SHORT_DAY_PATTERN, locale=locale)


def short_day_in_language(day: date) -> str:
    """A date like "23 Nov" in the request's language, where the year is clear."""
    return _short_day(day, str(_locale()))


def weekday_in_language(weekday: int) -> str:
    """A day of the week like "Mon", which is 0, in the request's language."""
    name: str = _locale().days["stand-alone"]["abbreviated"][weekday]
    return name


def day_in_language(day: date) -> str:
    """A date like "Mon 23 Nov 2026" in the request's language."""
    return _day(day, str(_locale()))


@cache
def _known() -> frozenset[str]:
    """Every text of the product that stands in a catalogue."""
    path = CATALOGUES / "fr" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        return frozenset(entry.id for entry in read_po(file) if isinstance(entry.id, str))


@cache
def _translations(code: str) -> NullTranslations:
    """The catalogue of a language; English needs none."""
    if code in pseudo.LANGUAGES:
        return pseudo.PseudoTranslations()
    path = CATALOGUES / code / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file, locale=code))
    compiled.seek(0)
    return Translations(compiled)


class _Catalogues(Domain):
    def get_translations(self) -> NullTranslations:
        locale = get_locale()
        return _translations(str(locale)) if locale is not None else NullTranslations()

    def gettext(self, string: str, **variables: Any) -> str:
        text: str = self.get_translations().ugettext(string)
        return text % _values(variables) if variables else text

    def ngettext(self, singular: str, plural: str, num: int, **variables: Any) -> str:
        text: str = self.get_translations().ungettext(singular, plural, num)
        return text % _values({"num": num} | variables)


class _Phrases(dict[str, Markup]):
    """The texts of templates in one language, each looked up once: the rows of a register say the same ones."""

    def __init__(self, translations: NullTranslations) -> None:
        super().__init__()
        self.translations = translations
        self.whole: dict[str, Markup] = {}

    def __missing__(self, message: str) -> Markup:
        pattern = Markup(self.translations.ugettext(message))  # noqa: S704 - ours, from the catalogue
        self[message] = pattern
        return pattern


@cache
def _phrases_of(code: str) -> _Phrases:
    return _Phrases(_translations(code))


def _phrases() -> _Phrases:
    # Where Flask-Babel keeps the locale of a request, or of other work. Looked at directly: a register of hundreds of
    # rows asks for thousands of texts.
    here: Any = request if has_request_context() else g
    place: dict[str, Any] = here._get_current_object().__dict__
    locale = place.get("babel_locale") or get_locale()
    known = place.get("phrases")
    if known is None or known[0] is not locale:
        place["phrases"] = known = (locale, _phrases_of(str(locale)))
    phrases: _Phrases = known[1]
    return phrases


def _template_text(message: str, /, **values: Any) -> Markup | str:
    """`_("...")` of a template: markup of the catalogue stays, values are escaped."""
    phrases = _phrases()
    if values:
        return phrases[message] % _values(values)
    whole = phrases.whole.get(message)
    if whole is None:
        if type(message) is Text:
            return say(message)
        whole = phrases.whole[message] = phrases[message] % {}
    return whole


def _template_number(one: str, many: str, num: int, /, **values: Any) -> Markup:
    pattern = Markup(_phrases().translations.ungettext(one, many, num))  # noqa: S704 - ours, from the catalogue
    return pattern % _values({"num": num} | values)


def _values(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in values.items()}


def _value(value: Any) -> Any:
    if type(value) is int:
        return _Number(value)
    if type(value) is date:
        return day_in_language(value)
    return say(value) if type(value) is Text else value


class _Number(int):
    """A number that is filled in: as the language writes it, and by `%(name)d` as bare digits."""

    def __str__(self) -> str:
        return number(int(self))


def _said(value: Any) -> Any:
    """What a template prints: a text of the core in the request's language."""
    return say(value) if type(value) is Text else value


def _locale() -> Locale:
    return get_locale() or Locale("en")


def _chosen(app: Flask, of_account: Callable[[], str | None]) -> Locale:
    offered, code = app.config[_OFFERED], None
    if has_request_context():
        wishes = (None if g.get("bare_page") else of_account(), request.cookies.get(COOKIE))
        code = next((wish for wish in wishes if wish in offered), None)
        wanted = [language for language, quality in request.accept_languages if quality > 0]
        code = code or negotiate_locale(wanted, LANGUAGES, sep="-")
    return Locale.parse(code or app.config[_DEFAULT])


def _page_context() -> dict[str, Any]:
    locale = _locale()
    return {"language": str(locale), "direction": locale.text_direction, "languages": offered(current_app)}
