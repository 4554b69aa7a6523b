"""Tables as files: what stands in them when they are read again."""

import csv
import errno
import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import pytest
from flask import Response
from flask_babel import lazy_gettext
from openpyxl import load_workbook
from werkzeug.exceptions import ServiceUnavailable

from attendance.texts import english
from tests.factories import make_lecturer
from webapp.account.permissions import Access, needs
from webapp.exports.answers import Form, answer, file_stem
from webapp.exports.sheets import CellKind, Sheet, SheetColumn
from webapp.tools import pseudo
from webapp.tools.languages import COOKIE, LANGUAGES
from webapp.tools.storage import database, engine_of

NINE = datetime(2026, 11, 23, 8, 5, 30, tzinfo=UTC)
"""In Warsaw an hour later."""
NASTY = ("=1+1", "@SUM(A1)", "two\nlines", "Ł" * 120, "007", "1e5", "http://example.edu", "{=A1}", "  =2", "#REF!")

EVERY_KIND = Sheet(
    "Every kind",
    [
        SheetColumn("Name"),
        SheetColumn("Number", CellKind.WHOLE),
        SheetColumn("Rate", CellKind.SHARE),
        SheetColumn("Day", CellKind.DAY),
        SheetColumn("Start", CellKind.CLOCK),
        SheetColumn("Seen", CellKind.CLOCK_SECONDS),
        SheetColumn("Changed", CellKind.MOMENT),
    ],
    [
        ("Ada", 3, 0.7499, NINE, NINE, NINE, NINE),
        ("", 0, 0.0, date(2026, 2, 1), None, None, None),
        (None, None, None, None, None, None, None),
    ],
    frozen=1,
)


@pytest.fixture
def request_context(site) -> Iterator[None]:
    with site.app.test_request_context("/"):
        yield


def sent(sheets, form: Form) -> bytes:
    response: Response = answer(sheets, file_name="file", form=form)
    data = response.get_data()
    response.close()
    return data


def as_csv(sheets) -> list[list[str]]:
    text = sent(sheets, Form.CSV).decode()
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text[1:], newline="")))


def as_book(sheets):
    return load_workbook(io.BytesIO(sent(sheets, Form.XLSX)))


def test_cells_of_csv_read_as_pages_show_them(request_context):
    assert as_csv([EVERY_KIND]) == [
        ["Name", "Number", "Rate", "Day", "Start", "Seen", "Changed"],
        ["Ada", "3", "74%", "2026-11-23", "09:05", "09:05:30", "2026-11-23 09:05:30"],
        ["", "0", "0%", "2026-02-01", "", "", ""],
        ["", "", "", "", "", "", ""],
    ]


def test_cells_of_a_workbook_have_types(request_context):
    page = as_book([EVERY_KIND])["Every kind"]
    rows = list(page.iter_rows(values_only=True))
    local = NINE.replace(hour=9, tzinfo=None)
    assert rows[0] == ("Name", "Number", "Rate", "Day", "Start", "Seen", "Changed")
    assert rows[1] == ("Ada", 3, 0.74, datetime(2026, 11, 23), time(9, 5), time(9, 5, 30), local)
    assert rows[2] == (None, 0, 0, datetime(2026, 2, 1), None, None, None)
    assert [cell.number_format for cell in page[2]] == [
        "General", "0", "0%", "yyyy-mm-dd", "hh:mm", "hh:mm:ss", "yyyy-mm-dd hh:mm:ss",
    ]  # fmt: skip
    assert page.freeze_panes == "B2"
    assert page.auto_filter.ref == "A1:G4"
    assert page.print_title_rows == "$1:$1"
    assert (page.page_setup.paperSize, page.page_setup.orientation) == (9, "landscape")


def test_no_text_is_a_formula_a_link_or_a_number(request_context):
    sheet = Sheet("Names", [SheetColumn("=HYPERLINK(1)")], [(text,) for text in NASTY])
    page = as_book([sheet]).active
    assert [cell.value for cell in page["A"]] == ["=HYPERLINK(1)", *NASTY]
    assert {cell.data_type for cell in page["A"]} <= {"s", "inlineStr"}
    assert not any(cell.hyperlink for cell in page["A"])
    quoted = [f"'{text}" if text.lstrip()[0] in "=@" else text for text in NASTY]
    assert as_csv([sheet]) == [["'=HYPERLINK(1)"], *([text] for text in quoted)]


def test_texts_are_in_the_readers_language(site):
    site.app.config["LANGUAGES_OFFERED"] = LANGUAGES | pseudo.LANGUAGES
    columns = [SheetColumn(lazy_gettext("Course")), SheetColumn(english("Rate"), CellKind.SHARE)]
    sheet = Sheet(english("Records"), columns, [(english("Late"), 0.5)])
    with site.app.test_request_context("/", headers={"Cookie": f"{COOKIE}=eo"}):
        assert as_csv([sheet]) == [[pseudo.pseudo("Course"), pseudo.pseudo("Rate")], [pseudo.pseudo("Late"), "50%"]]
        (page,) = as_book([sheet]).worksheets
        assert list(page.iter_rows(values_only=True))[1] == (pseudo.pseudo("Late"), 0.5)
        assert page.title == pseudo.pseudo("Records").strip("[]")


def test_sheets_of_a_workbook_have_names_that_excel_takes(request_context):
    wanted = ["MAT 101/A: [1]*?", "mat 101 a 1", "'History'", "", "Ł" * 40, "Ł" * 31, "🎓" * 20, "a\tb"]
    book = as_book([Sheet(name, [SheetColumn("x")], []) for name in wanted])
    assert book.sheetnames == [
        "MAT 101 A 1", "mat 101 a 1 (2)", "History_", "Sheet", "Ł" * 31, "Ł" * 27 + " (2)", "🎓" * 15, "a b",
    ]  # fmt: skip


def test_a_sheet_that_is_too_long_goes_on_in_a_further_one(request_context, monkeypatch):
    monkeypatch.setattr("webapp.exports.workbook.MOST_ROWS", 4)
    for count, expected in ((0, [0]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])):
        sheet = Sheet("Long", [SheetColumn("n", CellKind.WHOLE)], ((n,) for n in range(count)))
        book = as_book([sheet])
        assert [page.max_row - 1 for page in book.worksheets] == expected
        assert all(page["A1"].value == "n" for page in book.worksheets)
        assert [row[0] for page in book.worksheets for row in page.iter_rows(2, values_only=True)] == list(range(count))


def test_sheets_of_the_same_columns_are_one_csv_table_and_others_begin_anew(request_context):
    two = [
        Sheet("A", [SheetColumn("n", CellKind.WHOLE)], [(1,)]),
        Sheet("B", [SheetColumn("n", CellKind.WHOLE)], [(2,)]),
    ]
    assert as_csv(two) == [["n"], ["1"], ["2"]]
    assert as_csv([*two, Sheet("C", [SheetColumn("name")], [("x",)])]) == [["n"], ["1"], ["2"], [], ["name"], ["x"]]


def test_a_row_of_another_width_is_refused(request_context):
    with pytest.raises(ValueError, match="longer"):
        as_csv([Sheet("A", [SheetColumn("a"), SheetColumn("b")], [("only one",)])])


def test_csv_is_sent_in_few_pieces_while_it_is_read(request_context):
    read = 0

    def rows():
        nonlocal read
        for read in range(1, 50_001):
            yield (read,)

    pieces = iter(
        answer([Sheet("A", [SheetColumn("n", CellKind.WHOLE)], rows())], file_name="a", form=Form.CSV).response
    )
    next(pieces)
    assert 0 < read < 10_000
    assert sum(1 for _ in pieces) < 20
    assert read == 50_000


def test_rows_may_ask_the_database_and_leave_no_connection_open(site):
    def rows():
        yield (database().connection().exec_driver_sql("SELECT 7").scalar_one(),)

    @site.app.get("/file.csv", defaults={"form": Form.CSV})
    @site.app.get("/file.xlsx", defaults={"form": Form.XLSX})
    @needs(Access.SIGNED_IN)
    def file(form):
        database().connection()
        return answer([Sheet("A", [SheetColumn("n", CellKind.WHOLE)], rows())], file_name="a", form=form)

    visitor = site.visitor()
    with site.sessions() as db:
        visitor.enter_as(make_lecturer(db))
        db.commit()
    assert visitor.get("/file.csv").text == "\ufeffn\r\n7\r\n"
    assert visitor.get("/file.xlsx").data.startswith(b"PK")
    assert engine_of(site.app).pool.status().count("Current Checked out connections: 0") == 1


def test_the_workbook_on_disk_goes_with_the_answer(site, request_context):
    response = answer([EVERY_KIND], file_name="a", form=Form.XLSX)
    (folder,) = site.settings.data.directory.glob("export-*")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert response.content_length == len(response.get_data())
    response.close()
    assert not folder.exists()


def test_a_failure_leaves_nothing_on_disk(site, request_context):
    def rows():
        yield ("one",)
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError):
        answer([Sheet("A", [SheetColumn("n")], rows())], file_name="a", form=Form.XLSX)
    assert not list(site.settings.data.directory.glob("export-*"))


def test_of_large_workbooks_few_are_made_at_once_and_small_ones_always(site, monkeypatch):
    monkeypatch.setattr("webapp.exports.workbook._LARGE_ROWS", 3)
    monkeypatch.setattr("webapp.exports.workbook._LARGE_AT_ONCE", threading.BoundedSemaphore(1))

    def rows(count, within=None):
        for n in range(count):
            yield (n,)
        if within is not None:
            yield (within(),)

    def made(count, within=None):
        sheet = Sheet("A", [SheetColumn("n", CellKind.WHOLE)], rows(count, within))
        with site.app.test_request_context("/"):
            return len(sent([sheet], Form.XLSX))

    def beside():
        assert made(2)
        with pytest.raises(ServiceUnavailable, match="Other large workbooks are being made just now"):
            made(3)
        return 1

    assert made(3, beside)
    assert made(3)  # the place is free again
    assert not list(site.settings.data.directory.glob("export-*"))


def test_a_full_disk_is_said(site, request_context):
    def rows():
        yield ("one",)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ServiceUnavailable, match="no room for this workbook"):
        answer([Sheet("A", [SheetColumn("n")], rows())], file_name="a", form=Form.XLSX)
    assert not list(site.settings.data.directory.glob("export-*"))


def test_what_a_stopped_program_left_goes_after_a_day(site, request_context):
    folder = site.settings.data.directory
    old, young = folder / "export-old", folder / "export-young"
    for each in (old, young):
        each.mkdir()
        (each / "rows").write_text("x")
    os.utime(old, (1, 1))
    sent([EVERY_KIND], Form.XLSX)
    assert not old.exists()
    assert young.exists()


def test_the_file_is_named_after_its_content():
    assert file_stem(["attendance", "CS 101/ä", "", "from-2026-11-23"]) == "attendance_CS-101-a_from-2026-11-23"
    assert file_stem(["attendance", "../../etc/passwd"]) == "attendance_etc-passwd"
    assert file_stem(["attendance", "王小明"]) == "attendance"
    assert len(file_stem(["x" * 500])) <= 120
