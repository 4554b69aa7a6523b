"""Expressions of settings: what they match, what is refused, and that none is slow."""

import time

import pytest

from attendance.patterns import LONGEST_PATTERN, Pattern
from attendance.settings import SettingsError, load_settings
from attendance.tables.fields import index_number_rule


@pytest.mark.parametrize(
    ("pattern", "text", "is_matched"),
    [
        ("[0-9]{6}", "240101", True),
        ("[0-9]{6}", "2401011", False),
        ("[0-9]{6}", "240101\n", False),
        ("a|b", "b", True),
        ("a|b", "ab", False),
        (r"\p{L}[0-9]+", "Ż12", True),
        ("^[0-9]+$", "12", True),
        ("(?i)s[0-9]{4}", "S1234", True),
    ],
)
def test_the_whole_text_must_match(pattern, text, is_matched):
    assert Pattern(pattern).matches(text) is is_matched


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "(.*)*x", "([a-z]+)*1", "(a{0,60}){0,60}b"])
def test_no_pattern_is_slow(pattern):
    started = time.monotonic()
    assert not Pattern(pattern).matches("a" * 10_000 + "!")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "unclosed group"),
        ("a)|(b", "unopened group"),
        (r"(a)\1", "backreferences are not supported"),
        ("(?=a)b", "look-around, including look-ahead and look-behind, is not supported"),
        ("a{1000}{1000}{1000}", "exceeds size limit"),
        ("x" * (LONGEST_PATTERN + 1), "at most 200"),
    ],
)
def test_a_wrong_pattern_is_refused_at_start_with_the_setting(pattern, why):
    with pytest.raises(ValueError, match=why):
        Pattern(pattern)
    with pytest.raises(SettingsError, match="ATTENDANCE_INSTITUTION_INDEX_PATTERN: "):
        load_settings({"ATTENDANCE_INSTITUTION_INDEX_PATTERN": pattern})


def test_the_rule_of_index_numbers_knows_the_pattern():
    rule = index_number_rule("[0-9]{6}")
    assert rule.problem("240101") is None
    assert rule.problem("7123") == "'7123' does not look like the index numbers here ([0-9]{6})"
    assert "would be a formula" in str(rule.problem("=1+1"))
    assert index_number_rule("").problem("7123") is None
