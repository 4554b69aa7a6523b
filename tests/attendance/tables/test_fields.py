"""One rule a field: what may stand there, and that everybody who keeps it agrees."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.database.models import (
    Account,
    ApiToken,
    Attendance,
    AttendanceChange,
    Camera,
    ClassSession,
    ConsentChange,
    Course,
    CourseGroup,
    Department,
    Dispute,
    Excuse,
    GalleryJob,
    HeldSighting,
    PhotoProposal,
    Room,
    SessionSeries,
    StatusLabel,
    Student,
    TeachingBreak,
    TimetableCalendar,
    WebhookEndpoint,
)
from attendance.gallery.layouts import LONGEST_NAME, name_problem
from attendance.tables import fields
from attendance.tables.fields import EMAIL, INDEX_NUMBER, PERSON_NAME, TextRule, clean
from attendance.tables.index_numbers import alike, likeness, likeness_key


@pytest.mark.parametrize(
    ("text", "identifier", "problem"),
    [
        ("Ann", True, None),
        ("=cmd|' /C calc'!A0", False, None),
        ("\u0646\u06cc\u0645\u200c\u0641", False, None),
        ("\u0646\u06cc\u0645\u200c\u0641", True, "invisible character (U+200C)"),
        ("", False, "is empty"),
        ("x" * 11, False, "has 11 characters; at most 10 fit"),
        ("a\u202eb", False, "invisible character (U+202E)"),
        ("a\x07b", False, "invisible character (U+0007)"),
        ("M\ufffdller", False, "a letter that was lost"),
    ],
)
def test_what_a_field_may_hold(text, identifier, problem):
    longest = 10 if set(text) == {"x"} else 100
    found = TextRule(longest, identifier=identifier).problem(clean(text))
    assert found is None if problem is None else found is not None and problem in found


COLUMNS = [
    ("INDEX_NUMBER", Student.index_number),
    ("INDEX_NUMBER", GalleryJob.index_number),
    ("PERSON_NAME", Student.name),
    ("PERSON_NAME", Account.name),
    ("EMAIL", Account.email),
    ("EMAIL", Student.email),
    ("LANGUAGE", Student.language),
    ("LANGUAGE", Account.language),
    ("CONSENT_MEANS", ConsentChange.means),
    ("DISPUTE_TEXT", Dispute.text),
    ("DISPUTE_ANSWER", Dispute.answer),
    ("HELD_ANSWER", HeldSighting.answer),
    ("REJECTION_REASON", PhotoProposal.reason),
    ("STATUS_LABEL_NAME", StatusLabel.name),
    ("STATUS_LABEL_LETTER", StatusLabel.letter),
    ("DEPARTMENT_NAME", Department.name),
    ("COURSE_CODE", Course.code),
    ("COURSE_NAME", Course.name),
    ("ROOM_NAME", Room.name),
    ("CAMERA_NAME", Camera.name),
    ("TOKEN_NAME", ApiToken.name),
    ("CONSENT_MEANS", Student.consent_means),
    ("DECLARED_GROUP", Student.declared_group),
    ("CORRECTION_REASON", AttendanceChange.reason),
    ("REMARK", Attendance.remark),
    ("EXCUSE_REASON", Excuse.reason),
    ("EXCUSE_REFERENCE", Excuse.reference),
    ("GROUP_NAME", CourseGroup.name),
    ("BREAK_NAME", TeachingBreak.name),
    ("SERIES_UID", SessionSeries.uid),
    ("CALENDAR_NAME", TimetableCalendar.name),
    ("WEBHOOK_NAME", WebhookEndpoint.name),
    ("SESSION_NOTE", ClassSession.note),
    ("SESSION_NOTE", ClassSession.cancelled_reason),
]


@pytest.mark.parametrize(("rule", "column"), COLUMNS, ids=str)
def test_a_rule_lets_through_as_much_as_its_column_holds(rule, column):
    assert column.type.length == getattr(fields, rule).longest


def test_every_rule_is_held_against_a_column():
    rules = {name for name, value in vars(fields).items() if isinstance(value, TextRule)}
    assert rules - {"ROLE_WORD"} == {rule for rule, _ in COLUMNS}  # the word of a role is one of a few


@settings(deadline=None)  # a busy machine is no fault
@given(st.text())
def test_the_gallery_takes_every_index_number_that_the_rule_lets_through(text):
    cleaned = INDEX_NUMBER.clean(text)
    assert INDEX_NUMBER.longest == LONGEST_NAME
    if INDEX_NUMBER.problem(cleaned) is None:
        assert name_problem(cleaned) is None


@settings(deadline=None)  # a busy machine is no fault
@given(st.text())
@pytest.mark.parametrize("rule", [INDEX_NUMBER, PERSON_NAME, EMAIL], ids=["index number", "name", "e-mail"])
def test_what_was_cleaned_stays_as_it_is(rule, text):
    once = rule.clean(text)
    assert rule.clean(once) == once
    assert unicodedata.is_normalized("NFC", once)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2.4E+05", "rounded the index number"),
        ("2,40101E+11", "rounded the index number"),
        ("2E+05", "rounded the index number"),
        ("2.4e-5", "rounded the index number"),
        ("=1+1", "would be a formula"),
        ("+48123", "would be a formula"),
        ("-7", "would be a formula"),
        ("@at", "would be a formula"),
        ("\uff1d1", "would be a formula"),
        ("../x", "is a path"),
        ("a/../b", "is a path"),
        ("/a", "is a path"),
        ("a//b", "is a path"),
        ("a/", "is a path"),
        ("a\\b", "is a path"),
        (".", "is a path"),
        (".hidden", "is a path"),
        ("#N/A", "a spreadsheet's error"),
        ("#REF!", "a spreadsheet's error"),
        ("#DIV/0!", "a spreadsheet's error"),
        ("#NAZWA?", "a spreadsheet's error"),
        ("Err:502", "a spreadsheet's error"),
        ("########", "a spreadsheet's error"),
        ("s\u200b1", "invisible character (U+200B)"),
        ("s\u200f1", "invisible character (U+200F)"),
        ("s1 ", "starts or ends with a space"),
        ("s  1", "not a single, plain one"),
        ("s\u00a01", "not a single, plain one"),
        ("", "is empty"),
        ("NULL", "where there is no value"),
        ("NaN", "where there is no value"),
        ("n/a", "where there is no value"),
        ("\uff11\uff12\uff13", "digits of another script or width (\uff11\uff12\uff13); type them as 123"),
        ("s\u0661\u0662", "type them as 12"),
    ],
)
def test_what_cannot_be_an_index_number(text, problem):
    assert problem in str(INDEX_NUMBER.problem(text))


@pytest.mark.parametrize(
    "text",
    [
        "240101",
        "007123",
        "2E5",
        "12E",
        "s-240401",
        "früh-7",
        "学生-12",
        "O'Neil 3",
        "a.b",
        "CSC/2019/045",
        "#7",
        "Err:5",
    ],
)
def test_what_can_be_an_index_number(text):
    assert INDEX_NUMBER.problem(text) is None


@pytest.mark.parametrize("mark", "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069")
def test_marks_of_writing_direction_are_no_part_of_a_name(mark):
    for text in (
        f"{mark}ليلى حسن",
        f"ليلى حسن{mark}",
        f"ليلى {mark}حسن",
        f"ليلى{mark} حسن",
        f" {mark} ليلى {mark} حسن",
    ):
        assert PERSON_NAME.clean(text) == "ليلى حسن"
    assert PERSON_NAME.clean(mark) == ""
    assert PERSON_NAME.problem(PERSON_NAME.clean(mark)) == "is empty"
    assert "invisible" in str(INDEX_NUMBER.problem(INDEX_NUMBER.clean(f"s{mark}1")))


@pytest.mark.parametrize("mark", "\u202d\u202e")
def test_marks_that_turn_letters_round_are_refused(mark):
    assert "invisible character" in str(PERSON_NAME.problem(PERSON_NAME.clean(f"Ann{mark} Lee")))


def test_joiners_belong_to_a_name():
    name = "\u0646\u06cc\u0645\u200c\u0641 \u0915\u094d\u200d"
    assert PERSON_NAME.clean(name) == name
    assert PERSON_NAME.problem(name) is None


def test_an_address_is_kept_in_lower_case():
    assert EMAIL.clean(" Ada@Example.EDU ") == "ada@example.edu"
    assert EMAIL.problem("ada@example.edu") is None
    assert EMAIL.problem("ada") == "'ada' is no e-mail address, like name@university.edu"


@pytest.mark.parametrize(
    ("rule", "text", "scripts"),
    [
        (EMAIL, "\u0430dmin@example.edu", "Latin, Cyrillic"),
        (EMAIL, "admin@ex\u0430mple.edu", "Latin, Cyrillic"),
        (EMAIL, "\u03b1da@example.edu", "Latin, Greek"),
        (INDEX_NUMBER, "\u0421S240101", "Latin, Cyrillic"),
    ],
)
def test_letters_that_look_alike_are_not_mixed(rule, text, scripts):
    problem = str(rule.problem(rule.clean(text)))
    assert f"mixes letters that look alike ({scripts}); type it anew on one keyboard" in problem


@pytest.mark.parametrize(
    "text", ["\u0438\u0432\u0430\u043d@example.edu", "zo\u00eb@example.edu", "\u738b@example.edu", "a1-b_c@example.edu"]
)
def test_an_address_may_be_in_any_script(text):
    assert EMAIL.problem(text) is None


@pytest.mark.parametrize("text", ["ada@\uff45xample.edu", "\uff41da@example.edu", "ada\u00aa@example.edu"])
def test_an_address_has_plain_letters(text):
    """Mail to it goes to the address with plain ones, whose owner is another row."""
    assert "is no e-mail address" in str(EMAIL.problem(EMAIL.clean(text)))


def test_an_index_number_that_looks_like_another_in_another_script_is_asked_about():
    latin, cyrillic, greek = "C240101", "\u0421240101", "\u039d1"
    assert INDEX_NUMBER.problem(cyrillic) is None, "an institution may write its numbers so"
    assert alike([cyrillic, greek], [latin, "N1"]) == [(cyrillic, latin), (greek, "N1")]
    assert "but for the form of its letters" in likeness(cyrillic, latin)


def test_index_numbers_that_are_hardly_told_apart():
    assert likeness_key("007123") == likeness_key("7123") == likeness_key("7123.0")
    assert likeness_key("7123") == likeness_key("7123,0") == likeness_key("7,123") == likeness_key("'007123")
    assert likeness_key("240.101") == likeness_key("240 101") == likeness_key("240101")
    assert likeness_key("S240401") == likeness_key("s240401") == likeness_key("'s240401")
    assert likeness_key("000") == likeness_key("0")
    apart = ("7123", "71230", "s7123", "s07123", "7123.5", "7,12", "0,123", "\u0667123")
    assert len({likeness_key(number) for number in apart}) == len(apart)
    told = "7123 is like 007123 but for zeros, which spreadsheets drop and add. Is this another student?"
    assert likeness("7123", "007123") == told
    marks = "7,123 is like 7123 but for marks, which spreadsheets add. Is this another student?"
    assert likeness("7,123", "7123") == marks
    assert (
        likeness("ab1", "AB1", "on line 3") == "ab1 is like AB1, on line 3, but for capitals. Is this another student?"
    )


def test_pairs_of_a_list():
    assert alike(["1", "01", "a", "A", "b", "001"]) == [("01", "1"), ("A", "a"), ("001", "1")]
    assert alike(["7123", "s1"], known=["007123", "s1", "S2", "s2"]) == [("7123", "007123")]
    assert alike(["S2", "s2"], known=["s2", "S2"]) == [], "both are there already"
