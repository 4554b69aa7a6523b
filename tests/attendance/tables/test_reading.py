"""CSV files as spreadsheets, text editors and accidents make them."""

import codecs

import pytest

from attendance.tables import fields, reading
from attendance.tables.errors import TableError
from attendance.tables.reading import Column, read_table

COLUMNS = (
    Column("index_number", "", aliases=("index",)),
    Column("name", ""),
    Column("note", "", required=False),
)


def lines_of(data):
    return list(read_table(data if isinstance(data, bytes) else data.encode(), COLUMNS).lines())


def values_of(data):
    return [(line.number, line.values["index_number"], line.values["name"]) for line in lines_of(data)]


EXPECTED = [(2, "s1", "Łukasz Żak"), (3, "s2", "Zoë Ünal")]
GOOD = "index_number,name\ns1,Łukasz Żak\ns2,Zoë Ünal\n"


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode(),
        codecs.BOM_UTF8 + GOOD.encode(),
        GOOD.encode("utf-16"),
        codecs.BOM_UTF16_BE + GOOD.encode("utf-16-be"),
        GOOD.encode("utf-32"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        GOOD.replace(",", ";").encode(),
        GOOD.replace(",", "\t").encode(),
        GOOD.rstrip("\n").encode(),
        GOOD.replace("index_number", " Index-Number ").replace("name", '"NAME"').encode(),
        GOOD.replace("index_number", "INDEX").encode(),
        GOOD.replace("\n", ",,\n").encode(),
        GOOD.replace("ë", "e\u0308").encode(),
        GOOD.replace("Łukasz Żak", "\u00a0Łukasz \t Żak ").encode(),
    ],
    ids=[
        "utf-8", "utf-8 bom", "utf-16-le bom", "utf-16-be bom", "utf-32", "crlf", "cr", "semicolon", "tab",
        "no last line end", "untidy header", "alias", "empty last columns", "decomposed letters", "spaces",
    ],
)  # fmt: skip
def test_reads_what_spreadsheets_write(data):
    assert values_of(data) == EXPECTED


def test_skips_empty_lines_and_keeps_line_numbers():
    assert values_of("\n\nindex_number;name\n\n  \n;;\ns1;A\n\ns2;B\n") == [(7, "s1", "A"), (9, "s2", "B")]


def test_takes_the_separator_that_excel_names_above_the_header():
    assert values_of("sep=;\nindex_number;name\ns1;A, B\n") == [(3, "s1", "A, B")]


def test_quoted_fields_may_hold_delimiters_and_quotes():
    assert values_of('index_number,name\ns1,"O\'Neil, ""Jo"""\n') == [(2, "s1", 'O\'Neil, "Jo"')]


def test_unicode_line_separators_do_not_cut_a_line():
    assert [line.number for line in lines_of("index_number,name\ns1,A\u2028B\ns2,C\n")] == [2, 3]


@pytest.mark.parametrize("encoding", ["cp1250", "latin-1", "cp1252"])
def test_refuses_other_encodings_and_says_how_to_save(encoding):
    with pytest.raises(TableError, match=r"not in UTF-8 \(line 2 holds the byte 0x.*CSV UTF-8.*LibreOffice"):
        read_table("index_number,name\ns1,Günter Öz\n".encode(encoding), COLUMNS)


def test_refuses_utf_16_that_lost_its_mark():
    with pytest.raises(TableError, match=r"UTF-16 without its mark.*CSV UTF-8"):
        read_table("index_number,name\ns1,Ann\n".encode("utf-16-le"), COLUMNS)


def test_refuses_cut_utf_16():
    with pytest.raises(TableError, match="UTF-8"):
        read_table("index_number,name\ns1,Ann\n".encode("utf-16")[:-1], COLUMNS)


@pytest.mark.parametrize("start", [b"PK\x03\x04rest", b"\xd0\xcf\x11\xe0rest"])
def test_refuses_a_workbook(start):
    with pytest.raises(TableError, match="a spreadsheet, not a CSV file"):
        read_table(start, COLUMNS)


@pytest.mark.parametrize("data", [b"", b"  \n\n", codecs.BOM_UTF8, b",,,\n;\n"])
def test_refuses_an_empty_file(data):
    with pytest.raises(TableError, match="empty"):
        read_table(data, COLUMNS)


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("index_number,surname", "the column name. Line 1"),
        ("name", "the column index_number. Line 1"),
        ("s1,Ann Lee", "the columns index_number and name. Line 1 must name the columns; it reads: s1, Ann Lee"),
    ],
)
def test_names_the_missing_column(header, missing):
    with pytest.raises(TableError) as caught:
        read_table(f"{header}\n1,2\n".encode(), COLUMNS)
    assert missing in str(caught.value)


def test_a_header_that_cannot_be_read_is_shown_as_such():
    with pytest.raises(TableError, match="Line 1, which should name the columns, cannot be read: The quotation"):
        read_table(b'index_number,"name\ns1,A\n', COLUMNS)


def test_refuses_a_column_that_is_there_twice():
    with pytest.raises(TableError, match="name is there twice"):
        read_table(b"index_number,name,Name\n", COLUMNS)


def test_names_columns_that_it_does_not_use():
    assert read_table(b"index_number,shoe size,name\n", COLUMNS).unused == ("shoe size",)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('s2,"Ann', "quotation marks do not match"),
        ('s2,"Ann" Lee', "quotation marks do not match"),
        ("s2,Ann,x,Lee", "4 fields, but the first line names 3"),
        ("s2,An\0n", "NUL byte"),
        ("s2," + "x" * 20_000, "20,003 characters"),
    ],
    ids=["open quote", "text after quote", "too many fields", "nul", "too long"],
)
def test_a_bad_line_spoils_no_other(line, message):
    before, bad, after = lines_of(f"index_number,name,note\ns1,A,\n{line}\ns3,C,\n")
    assert (before.values["name"], before.error, after.values["name"], after.error) == ("A", None, "C", None)
    assert bad.number == 3
    assert message in str(bad.error)
    assert "\0" not in bad.content
    assert len(bad.content) <= 201


def test_a_short_line_has_empty_values():
    assert lines_of("index_number,name,note\ns1\n")[0].values == {"index_number": "s1", "name": "", "note": ""}


def test_refuses_more_lines_than_it_may_have(monkeypatch):
    monkeypatch.setattr(reading, "MAX_LINES", 3)
    table = read_table(b"index_number,name\n" + b"s,A\n" * 4, COLUMNS)
    with pytest.raises(TableError, match="more than 3 lines"):
        list(table.lines())


def test_refuses_more_bytes_than_it_may_have(monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    with pytest.raises(TableError, match="larger than"):
        read_table(b"index_number,name\n", COLUMNS)


NUMBERED = (
    Column("index_number", rule=fields.INDEX_NUMBER),
    Column("name", rule=fields.PERSON_NAME),
    Column("note", required=False),
)


@pytest.mark.parametrize(
    ("text", "swallowed"),
    [
        ('index_number,name,address\ns1,Ann,"12 High St\ns2,Bob\ns3,Eve\ns4,Dan,"\n', True),  # short lines
        ('index_number,name,address\ns1,Ann,"12 High St\ns2,Bob,x\ns3,Eve,"\n', True),
        ('index_number,name,address\ns1,Ann,"Flat 2\nHigh St, London"\n', False),
        ('index_number,name,address\ns1,Ann,"12 High St\nLondon"\n', False),
        ('index_number,name,note\ns1,Ann,"seen\n\ntwice"\n', False),
    ],
)
def test_lines_between_stray_quotation_marks_are_not_lost_in_silence(text, swallowed):
    lines = list(read_table(text.encode(), NUMBERED).lines())
    assert len(lines) == 1
    assert (lines[0].error is not None) is swallowed
    if swallowed:
        assert "look like lines of their own, so none of them is used" in str(lines[0].error)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("names", ["Ann", "Zoé", "Борис", "学生" * 40])
def test_utf_16_without_its_mark_is_called_so_in_any_script(encoding, names):
    data = ("index_number,name\n" + f"s1,{names}\n" * 40).encode(encoding)
    with pytest.raises(TableError, match=r"UTF-16 without its mark"):
        read_table(data, NUMBERED)


def test_a_header_in_the_middle_is_no_record():
    table = read_table(b"Index Number;name\ns1;Ann\nindex number;Name\ns2;Bob\n", NUMBERED)
    lines = list(table.lines())
    assert [line.error is None for line in lines] == [True, False, True]
    assert "names the columns again" in str(lines[1].error)
