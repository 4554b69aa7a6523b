"""`python -m webapp.translations.cli [--check]`: the catalogues, brought in step with the texts of the code.

Texts are what `_()`, `gettext()` and their kin say in templates and Python, and what the core marks with `english()`
(`attendance.texts`). A text that is new stands in each catalogue with an empty translation, until somebody writes one;
a text that went is dropped. The dashboard reads the catalogues as they are: nothing is compiled.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import click
from babel import Locale
from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = Path(__file__).resolve().parent
_ROOMS = ("attendance", "index_builder", "webapp")
_METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
_KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "lazy_gettext", "english"), None),
    **dict.fromkeys(("ngettext", "lazy_ngettext", "english_count"), (1, 2)),
    **dict.fromkeys(("pgettext", "lazy_pgettext"), ((1, "c"), 2)),
}
_HEADER = """\
# What the dashboard says in {name}. `make translations` keeps the English texts in step; fill in each msgstr.
msgid ""
msgstr ""
"Language: {code}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""
_NO_BREAK = {"fr": re.compile("(?<=«) | (?=[:;?!»])")}
"""By language, the spaces at which no line may break: in French those before high signs, and within guillemets."""
_TAG = re.compile(r"</?[a-z]+[^>]*>")


def texts_of_the_code() -> Catalog:
    """Every text that can be translated, with the files that say it."""
    catalogue = Catalog(charset="utf-8")
    for room in _ROOMS:
        found = extract_from_dir(
            ROOT / room, method_map=_METHODS, keywords=_KEYWORDS, comment_tags=(), strip_comment_tags=True
        )
        for file, _line, message, _comments, context in found:
            catalogue.add(message, locations=[(f"{room}/{file}", 0)], context=context)
    return catalogue


def languages() -> list[str]:
    """The codes of the languages that have a catalogue."""
    return sorted(path.parents[1].name for path in CATALOGUES.glob("*/LC_MESSAGES/messages.po"))


def path_of(language: str) -> Path:
    """Where a language's catalogue lies."""
    return CATALOGUES / language / "LC_MESSAGES" / "messages.po"


def read_catalogue(language: str) -> Catalog:
    """A language's catalogue as it is; empty where there is none yet."""
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    with path.open("rb") as file:
        return read_po(file, locale=language)


def in_step(language: str, texts: Catalog) -> str:
    """The text of a language's catalogue with exactly the texts of the code, what is translated kept.

    Spaces at which no line may break are made such.
    """
    catalogue = read_catalogue(language)
    catalogue.update(texts, no_fuzzy_matching=True)
    for message in catalogue:
        if message.id:  # and not the header
            said = message.string or ""
            message.string = (
                _unbroken(language, said) if isinstance(said, str) else tuple(_unbroken(language, one) for one in said)
            )
    written = io.BytesIO()
    write_po(
        written, catalogue, width=120, omit_header=True, sort_output=True, ignore_obsolete=True, include_lineno=False
    )
    header = _HEADER.format(
        name=Locale.parse(language).get_display_name("en"), code=language, plurals=catalogue.plural_forms
    )
    return header + written.getvalue().decode("utf-8")


def _unbroken(language: str, text: str) -> str:
    spaces = _NO_BREAK.get(language)
    return text if spaces is None else spaces.sub("\N{NO-BREAK SPACE}", text)


def faults(language: str) -> Iterator[str]:
    """What is wrong with the translations of a language's catalogue, a sentence each."""
    catalogue = read_catalogue(language)
    for message in catalogue:
        if not message.id:
            continue
        said = [message.string] if isinstance(message.string, str) else list(message.string or ())
        known = message.id if isinstance(message.id, str) else message.id[0]
        if not (said and all(said)) or message.fuzzy:
            yield f"has no translation: {known!r}"
            continue
        yield from (f"{error}: {known!r}" for error in message.check(catalogue))
        yield from (f"has other tags than the text: {known!r}" for text in said if _tags(text) != _tags(_last(message)))


def _last(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[-1]


def _tags(text: str) -> list[str]:
    return sorted(_TAG.findall(text))


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if a text is in no catalogue or has no translation.")
@click.argument("new", nargs=-1)
def main(check: bool, new: tuple[str, ...]) -> None:
    """Bring the catalogues in step with the code; NEW are codes of languages that get one."""
    texts, wrong = texts_of_the_code(), []
    for language in sorted({*languages(), *new}):
        path, text = path_of(language), in_step(language, texts)
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            wrong.append(f"{language}: not in step with the code; run `make translations`")
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        wrong += [f"{language} {fault}" for fault in faults(language)]
    for line in wrong:
        click.echo(line)
    if wrong and check:
        raise click.ClickException("the catalogues are not complete")
    click.echo(f"{len(texts)} texts, {', '.join(languages())}")


if __name__ == "__main__":
    main()
