from datetime import UTC, datetime

import click
import pytest

from attendance.settings.installation import InstitutionSettings
from camera_client.cli.start_time import parse_start

WARSAW = InstitutionSettings(timezone="Europe/Warsaw")


@pytest.mark.parametrize(
    ("text", "zone", "right"),
    [
        ("2026-03-02T08:00", "Europe/Warsaw", datetime(2026, 3, 2, 7, tzinfo=UTC)),
        ("2026-07-02T08:00", "Europe/Warsaw", datetime(2026, 7, 2, 6, tzinfo=UTC)),
        ("2026-03-02", "Europe/Warsaw", datetime(2026, 3, 1, 23, tzinfo=UTC)),
        ("2026-03-02T08:00", "Etc/UTC", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("2026-03-02T08:00+02:00", "UTC", datetime(2026, 3, 2, 6, tzinfo=UTC)),
        ("2026-03-02T07:00Z", "UTC", datetime(2026, 3, 2, 7, tzinfo=UTC)),
        ("2026-10-25T02:30+01:00", "Europe/Warsaw", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
    ],
)
def test_a_start_is_in_the_institutions_zone_or_has_an_offset(text: str, zone: str, right: datetime) -> None:
    assert parse_start(text, InstitutionSettings(timezone=zone)) == right


def test_no_offset_where_nobody_set_the_zone_is_refused() -> None:
    with pytest.raises(click.BadParameter, match=r"has no offset.*e.g. 2026-03-02T08:00\+01:00, or set ATTENDANCE_"):
        parse_start("2026-03-02T08:00", InstitutionSettings())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-03-29T02:30", r"showed 2026-03-29T02:30 never.*\+01:00"),
        ("2026-10-25T02:30", r"showed 2026-10-25T02:30 twice.*\+02:00"),
        ("yesterday", "no ISO 8601"),
    ],
)
def test_times_that_clocks_showed_twice_or_never_are_refused(text: str, words: str) -> None:
    with pytest.raises(click.BadParameter, match=words):
        parse_start(text, WARSAW)
