"""Quotation marks: cells that hold line breaks, and marks that are stray or never closed."""

import time

import pytest

from attendance.tables.reading import Column, read_table
from attendance.tables.records import LONGEST_RECORD

COLUMNS = (Column("index_number"), Column("name"), Column("photo", required=False, verbatim=True))
HEADER = "index_number,name,address\n"


def lines_of(text):
    return list(read_table(text.encode(), COLUMNS).lines())


def told(text):
    """What becomes of each record: its line, and its name or what is wrong."""
    return [(line.number, str(line.error) if line.error else line.values["name"]) for line in lines_of(text)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_record_may_span_lines_and_is_numbered_by_its_first(line_end):
    text = HEADER + 's1,Ann,"12 High St\n\nLondon"\ns2,Bob,"a ""quoted""\n word"\ns3,Cid,x\n'
    lines = lines_of(text.replace("\n", line_end))
    assert [(line.number, line.last, line.values["name"]) for line in lines] == [
        (2, 4, "Ann"),
        (5, 6, "Bob"),
        (7, 7, "Cid"),
    ]
    assert lines[0].content == 's1,Ann,"12 High St \u21b5  \u21b5 London"'


def test_the_header_may_span_lines_too():
    table = read_table(b'"index\nnumber","Name","a\nb"\ns1,Ann,x\n', COLUMNS)
    assert (table.present, table.unused) == ({"index_number", "name"}, ("a b",))
    assert [(line.number, line.values) for line in table.lines()] == [(4, {"index_number": "s1", "name": "Ann"})]


def test_a_line_break_in_a_field_of_one_line_is_a_space():
    (line,) = lines_of(HEADER + '"s1","Maria\nNowak",x\n')
    assert line.values == {"index_number": "s1", "name": "Maria Nowak"}
    assert line.broken == {"name"}
    (line,) = lines_of(HEADER + '"s1","Maria Nowak\n",x\n')
    assert (line.values["name"], line.broken) == ("Maria Nowak", frozenset())


def test_a_line_break_in_the_name_of_a_file_is_named():
    (line,) = lines_of('index_number,name,photo\ns1,Ann,"a\nb.jpg"\n')
    assert (line.number, line.error.column) == (2, "photo")
    assert "photo holds a line break (lines 2 to 3)" in str(line.error)


UNMATCHED = "The quotation marks do not match."


@pytest.mark.parametrize(
    ("body", "names"),
    [
        # Never closed: that line alone.
        ('s1,"Ann,x\ns2,Bob,x\ns3,Cid,x\n', {2: UNMATCHED, 3: "Bob", 4: "Cid"}),
        # The next stray mark does not close it.
        ('s1,"Ann,x\ns2,Bob,x\ns3,"Cid,x\ns4,Dan,x\n', {2: UNMATCHED, 3: "Bob", 4: UNMATCHED, 5: "Dan"}),
        # A mark inside of a field means itself.
        ('s1,Ann "Annie" Lee,x\ns2,Bob,5"\n', {2: 'Ann "Annie" Lee', 3: "Bob"}),
        # Two stray marks that match have swallowed a student: neither is used, and both lines are named.
        ('s1,Ann,"x\ns2,Bob,x"\ns3,Cid,x\n', {2: "Lines 2 to 3 stand between two quotation marks", 4: "Cid"}),
        ('s1,"Ann,x\ns2,Bob",x\ns3,Cid,x\n', {2: "name holds a line break and a comma (lines 2 to 3)", 4: "Cid"}),
        ('s1,Ann,"x\ns2,Bob,x\n\ns3,Cid,x"\ns4,Dan,x\n', {2: "Lines 2 to 5 stand between", 6: "Dan"}),
        # The file ends inside of a field.
        ('s1,Ann,x\ns2,Bob,"x', {2: "Ann", 3: UNMATCHED}),
        ('s1,Ann,x\n"', {2: "Ann", 3: UNMATCHED}),
        # A NUL ends what a record may take.
        ('s1,Ann,"x\ny\0"\ns2,Bob,x\n', {2: UNMATCHED, 3: "The line holds a NUL byte", 4: "Bob"}),
    ],
)  # fmt: skip
def test_a_stray_mark_spoils_as_little_as_it_must(body, names):
    found = told(HEADER + body)
    assert [number for number, _ in found] == list(names)
    for (_, said), expected in zip(found, names.values(), strict=True):
        assert said.startswith(expected)


def test_an_unclosed_mark_does_not_swallow_a_long_file():
    many = 100_000
    text = HEADER + 's1,"Ann,x\n' + "".join(f"s{number},N{number},x\n" for number in range(2, many + 1))
    lines = lines_of(text)
    assert len(lines) == many
    assert [line.number for line in lines if line.error] == [2]
    assert lines[-1].values["index_number"] == f"s{many}"


def test_a_mark_that_is_closed_thousands_of_lines_later_swallows_nothing():
    text = HEADER + 's1,Ann,"x\n' + "".join(f"s{number},N,x\n" for number in range(2, 5_000)) + 's5000,Zoe,x"\n'
    lines = lines_of(text)
    assert [line.number for line in lines if line.error] == [2]
    assert len(lines) == 5_000


def test_a_record_has_a_longest_size():
    fits = "x\n" * (LONGEST_RECORD // 2 - 10)
    assert lines_of(HEADER + f's1,Ann,"{fits}"\n')[0].error is None
    assert lines_of(HEADER + f's1,Ann,"{fits * 2}"\n')[0].error is not None


@pytest.mark.parametrize(
    "pattern",
    ['s,"A\n', 's,"\n', '"\n', '"""\n', 'a,b,"x\nc,d\n', 's,""x\n', '"s","A","\n', 'x\n' * 600 + '"\n'],
)  # fmt: skip
def test_hostile_marks_take_no_longer_than_others(pattern):
    text = (HEADER + pattern * 190_000)[:380_000]
    started = time.perf_counter()
    for _ in read_table(text.encode(), COLUMNS).lines():
        if time.perf_counter() - started > 30:
            pytest.fail("it takes too long")
