"""Moments as people read them."""

from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask

from webapp.tools.languages import init_languages
from webapp.tools.times import clock_text, day_bounds, day_text, init_times, moment_text


@pytest.fixture(autouse=True)
def _in_warsaw():
    app = Flask(__name__)
    init_languages(app, institution="en", of_account=lambda: None)
    init_times(app, "Europe/Warsaw")
    with app.app_context():
        yield


def test_are_shown_in_the_institutions_zone():
    assert moment_text(datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) == "Mon 23 Nov 2026, 09:00"
    assert moment_text(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "Thu 2 Jul 2026, 00:30"
    assert clock_text(datetime(2026, 7, 1, 22, 30, 7, tzinfo=UTC), seconds=True) == "00:30:07"
    assert day_text(date(2026, 2, 1)) == "Sun 1 Feb 2026"


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 23), 24)]
)
def test_a_day_is_as_long_as_the_clocks_make_it(day, hours):
    first, after = day_bounds(day)
    assert after - first == timedelta(hours=hours)
    assert first.tzinfo is UTC
