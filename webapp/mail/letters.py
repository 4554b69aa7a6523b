"""What a mail says, written once and laid out twice: as plain text and as HTML."""

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask, current_app, render_template
from flask_babel import force_locale, get_locale

from attendance.errors import AttendanceError

_WIDTH = 72
"""Characters of a line of plain text; RFC 3676, 4.2, asks for at most 78."""


class NoLongerWantedError(AttendanceError):
    """A mail that waits has nothing to say any more; the message says why, for an administrator."""


@dataclass(frozen=True)
class Letter:
    """A mail as it is sent: its subject, one line, and its text in both forms."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Item:
    """A line of a listing: what it is, what there is to say of it, and where that is."""

    text: str
    detail: str = ""
    address: str = ""


@dataclass(frozen=True)
class Listing:
    """A list with a heading; `warns` where somebody has to do something about it."""

    heading: str
    items: Sequence[Item]
    warns: bool = False


@dataclass(frozen=True)
class Button:
    """What the reader is to do: a word and where it leads."""

    word: str
    address: str


Part = Paragraph | Listing | Button


def write_letter(subject: str, *parts: Part, reason: str) -> Letter:
    """Lay a letter out, in the language of the application's context.

    Args:
        subject: made one line.
        parts: in the order of reading.
        reason: why the reader gets this mail, a sentence; stands at the end.
    """
    subject = " ".join(subject.split())
    locale = get_locale()
    facts = {
        "subject": subject,
        "parts": [(type(part).__name__, part) for part in parts],
        "reason": reason,
        "institution": current_app.config["INSTITUTION_NAME"],
        "site": site_address(),
        "language": str(locale).replace("_", "-") if locale else "en",
        "direction": locale.text_direction if locale else "ltr",
        "wrap": _wrap,
    }
    text = render_template("mail/letter.txt", **facts)
    return Letter(subject, text, render_template("mail/letter.html", **facts))


@contextmanager
def writing(app: Flask, language: str) -> Iterator[None]:
    """Have texts made in a language, and addresses of pages as their readers reach them, wherever the program runs.

    Args:
        app: the dashboard.
        language: a code, e.g. "fr".
    """
    address = app.config["ATTENDANCE"].web.address
    with app.test_request_context(base_url=address or None), force_locale(language):
        yield


def site_address(path: str = "") -> str:
    """The address of a page of the dashboard, as its readers reach it.

    It comes from the settings, never from a request: whoever asks must not decide where a link in a mail leads.

    Args:
        path: as `url_for` gives it without a request, e.g. "/courses/7".
    """
    address: str = current_app.config["ATTENDANCE"].web.address
    return address.rstrip("/") + path


def site_host() -> str:
    """The name under which the dashboard is reached; part of what identifies a mail."""
    return urlsplit(site_address()).hostname or "localhost"


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    """Lines of plain text; words longer than a line, such as links, stay whole."""
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
