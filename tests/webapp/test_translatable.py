"""Every page in a pseudo-language: a text outside its brackets is one that nobody can translate."""

import re
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from babel import Locale

import webapp
from attendance.database.models import AuditEntry, Base, Role
from attendance.database.models.webhooks import EventKind
from tests.factories import make_lecturer
from tests.webapp.addresses import addresses, furnish
from tests.webapp.lessons import make_lesson, see
from tests.webapp.reading import untranslated
from tests.webapp.visiting import Entered, Site, make_settings
from webapp.app import create_app
from webapp.audit.words import TYPED
from webapp.tools.languages import LANGUAGES
from webapp.tools.pseudo import LANGUAGES as PSEUDO
from webapp.tools.storage import sessions_of

_SPOKEN = next(iter(PSEUDO))
# Days stand in options and charts without a time element around them.
_MONTHS = "|".join(Locale(_SPOKEN).months["format"]["abbreviated"].values())
_WEEKDAYS = "|".join(Locale(_SPOKEN).days["format"]["abbreviated"].values())
_DAY = re.compile(rf"\b({_WEEKDAYS})\b( \d{{1,2}} ({_MONTHS}))?|\b\d{{1,2}} ({_MONTHS})\b")
_KEPT = {
    "zzz",
    "attendance.toml",
    "CSV",
    "Excel",
    "JPEG",
    "PNG",
    "WebP",
    "Test University",
    "Europe/Warsaw",
    "calendar.example.edu",
    *LANGUAGES.values(),
    *EventKind,
}
"""Names that are the same in every language: also those of webhooks' events, which programs read."""


@pytest.fixture
def pseudo_site(tmp_path, migrated_file):
    made = make_settings(tmp_path / "site", migrated_file, web={"pseudo_languages": True})
    institution = made.institution.model_copy(update={"language": _SPOKEN})
    settings = made.model_copy(update={"institution": institution})
    app = create_app(settings)
    app.testing = False
    yield Site(settings, app, sessions_of(app))
    sessions_of(app).kw["bind"].dispose()


def values_of(db):
    """Every text that the database holds."""
    found = set()
    for table in Base.metadata.sorted_tables:
        columns = [column for column in table.columns if isinstance(column.type, sa.String | sa.Text)]
        if columns:
            for row in db.execute(sa.select(*columns)):
                found |= {value for value in row if isinstance(value, str) and len(value) > 1}
    for details in db.scalars(sa.select(AuditEntry.details).where(AuditEntry.details.is_not(None))):
        found |= {str(value) for value in details.values() if len(str(value)) > 1 and value != TYPED}
    return found


@pytest.mark.long("every page with its forms: two hundred requests")
def test_no_page_has_a_text_that_cannot_be_translated(pseudo_site):
    with pseudo_site.sessions() as db:
        lesson = make_lesson(db, "Ada Byron", "Kurt Goedel", "Alan Turing", course_name="Logic")
        see(db, lesson, lesson.students[0], minute=5)
        here = furnish(db, 1)
        admin = make_lecturer(db, role=Role.ADMIN)
        db.commit()
        here |= {"session_id": lesson.session.id, "course_id": lesson.course.id, "student_id": lesson.students[0].id}
        data = values_of(db) | _KEPT
    wrong, read, version = {}, 0, 0
    entered = Entered.of(pseudo_site.visitor(admin))
    watching = sqlite3.connect(pseudo_site.settings.data.directory / "attendance.db")
    for address in addresses(pseudo_site, here):
        if address.method != "GET" and "delete" in address.endpoint + address.path:
            continue
        paths = [address.path] if address.method == "POST" else [address.path, f"{address.path}?q=zzz&page=2"]
        form = {"csrf_token": entered.token} if address.method == "POST" else None
        for path in paths:
            answer = entered.client().open(path, method=address.method, data=form)
            if answer.mimetype == "text/event-stream":  # which lasts as long as the session
                answer.close()
                continue
            answer.get_data()  # a file is read to its end
            if answer.mimetype != "text/html" or answer.status_code == 302:
                continue
            read += 1
            if version != (version := watching.execute("PRAGMA data_version").fetchone()[0]):
                with pseudo_site.sessions() as db:
                    data |= values_of(db)
            left = untranslated(_DAY.sub("", answer.text), data)
            if left:
                wrong[address.method + " " + path] = left[:8]
        if address.method == "POST":  # it may have ended the sign-in
            entered = Entered.of(pseudo_site.visitor(admin))
    watching.close()
    assert read > 80
    assert not wrong, "\n".join(f"{path}: {texts}" for path, texts in wrong.items())


PHYSICAL = re.compile(
    r"(?:^|[;{\s])(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)[\w-]*"
    r"|border-(?:top|bottom)-(?:left|right)-radius|left|right)\s*:|(?:text-align|float|clear)\s*:\s*(?:left|right)"
)
FOUR = re.compile(r"\b(?:margin|padding|inset)\s*:\s*(?:[^\s;]+\s+)([^\s;]+)\s+[^\s;]+\s+([^\s;]+)\s*;")


def test_style_sheets_follow_the_direction_of_the_text():
    """Left and right are start and end: else a page in Arabic or Urdu is laid out for somebody else."""
    sheets = sorted(Path(webapp.__file__).parent.rglob("*.css"))
    assert len(sheets) > 10
    wrong = [
        f"{sheet.name}:{number}: {line.strip()}"
        for sheet in sheets
        for number, line in enumerate(sheet.read_text(encoding="utf-8").splitlines(), start=1)
        if PHYSICAL.search(line) or any(left != right for left, right in FOUR.findall(line))
    ]
    assert wrong == []


def test_the_check_of_style_sheets_sees_what_it_must():
    for line in ("  margin-left: 1px;", "a{left:0}", "text-align: right;", "border-top-left-radius: 2px;"):
        assert PHYSICAL.search(line), line
    for line in ("  margin-inline-start: 1px;", "text-align: start;", "  inset-inline-end: 0;", "align-left: 1"):
        assert not PHYSICAL.search(line), line
    assert FOUR.findall("padding: 1px 2px 1px 3px;") == [("2px", "3px")]
