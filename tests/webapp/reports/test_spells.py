"""What a student's marks say in a row."""

from datetime import UTC, datetime, timedelta

import pytest

from webapp.reports.spells import Spells, spells_of

FIRST = datetime(2026, 10, 5, 9, tzinfo=UTC)
WORDS = {"P": "present", "L": "late", "A": "absent", "E": "excused", "?": "unrecorded", ".": "", "u": "unseen"}


def spells(letters):
    starts = [FIRST + timedelta(days=day) for day in range(len(letters))]
    return spells_of([WORDS[letter] for letter in letters], starts)


@pytest.mark.parametrize(
    ("letters", "longest"),
    [("", 0), ("PPP", 0), ("PAAP", 2), ("AAAPA", 3), ("PA?EA.AP", 3), ("AuA", 2), ("?E.", 0)],
    ids=["none", "never", "within", "first", "what says nothing does not end it", "not complete", "nothing rated"],
)
def test_the_longest_absence_counts_sessions_missed_in_a_row(letters, longest):
    assert spells(letters).longest_absence == longest


def test_a_student_is_seen_last_in_the_last_session_attended():
    assert spells("PLA?").last_seen == FIRST + timedelta(days=1)
    assert spells("AE?").last_seen is None


@pytest.mark.parametrize(
    ("letters", "trend"),
    [("PPPPPAAAAA", -1.0), ("AAAAAPPPPP", 1.0), ("PPPPPPPAPPA", -0.4), ("P?P?PEP.PAAPPP", -0.4), ("PPPPPPPPP", None)],
    ids=["worse", "better", "the last five", "only what is rated", "too few"],
)
def test_the_trend_holds_the_last_five_against_those_before(letters, trend):
    assert spells(letters).trend == pytest.approx(trend)


def test_of_nothing_nothing_is_said():
    assert spells("") == Spells(None, None, 0)


def test_a_label_counts_in_the_trend_as_much_as_in_each_rate():
    starts = [FIRST + timedelta(days=day) for day in range(10)]
    marks = [*["present"] * 5, *["absent.7"] * 5]
    assert spells_of(marks, starts, {7: 0.5}).trend == pytest.approx(-0.5)
    assert spells_of(marks, starts, {7: 0.5}).longest_absence == 5
