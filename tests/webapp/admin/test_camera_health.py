"""The health history of a camera: what its page and its files say of it."""

import csv
import io
import itertools
import random
import re
from datetime import timedelta

import pytest

from attendance.database.models import AuditAction, AuditEntry, CameraHealth, utc_now
from attendance.database.watching.health import MinuteOfHealth, PictureQuality, health_hours
from attendance.database.watching.observation import hour_of
from tests.factories import make_camera, make_room
from tests.webapp.visiting import plain
from webapp.admin.camera_health.history import HistoryStep, Span, read_history

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def camera(site_db):
    camera = make_camera(site_db, name="hall front", room=make_room(site_db, "Hall"))
    site_db.commit()
    return camera


def keep(db, camera, minutes):
    db.add_all(
        CameraHealth(camera_id=one.camera_id, hour=one.hour, minutes=one.minutes)
        for one in health_hours(camera.id, minutes)
    )
    db.commit()


def term_of_a_camera(now, *, days=126, seed=15):
    """A camera that is connected by day, drifts, loses focus and stands away for a week."""
    generator = random.Random(seed)
    today = hour_of(now).replace(hour=0)
    for ago in range(days):
        day = today - ago * timedelta(days=1)
        if 40 <= ago < 47:
            continue
        for hour in range(7, 19):
            for number in range(60):
                at = day + hour * HOUR + number * MINUTE
                if at >= now or (generator.random() < 0.02 and ago % 5 == 0):
                    continue
                lesson = hour % 3 != 0 and day.weekday() < 5
                picture = PictureQuality(
                    90 + 40 * (hour - 7) / 12 + generator.gauss(0, 6), (6 if ago < 20 else 14) + generator.gauss(0, 0.8)
                )
                heights = tuple(generator.randrange(weight) for weight in (2, 6, 30, 40, 20, 10, 4, 2))
                offset = round(1000 * (0.02 * ago) + generator.gauss(0, 60))
                yield MinuteOfHealth(
                    at,
                    generator.randrange(110, 121),
                    True,
                    offset,
                    picture if lesson else None,
                    heights if lesson else (0,) * 8,
                )


def test_steps_of_a_day_a_week_and_a_term(site, site_db, camera):
    now = utc_now()
    with site.app.app_context():
        day, week, term = (read_history(site_db, camera.id, span, now) for span in Span)
    assert [len(steps) for steps in (day, term)] == [24, 126]
    assert 36 < len(week) <= 42
    for steps in (day, week, term):
        assert steps[-1].ends == now
        assert all(one.ends == other.begins for one, other in itertools.pairwise(steps))
    assert {step.minutes for step in week[:36]} <= {230, 240, 250}  # of a day with 23, 24 or 25 hours


def test_minutes_fall_into_their_steps_and_are_summed(site, site_db, camera):
    now = hour_of(utc_now()) + 30 * MINUTE
    keep(
        site_db,
        camera,
        [
            MinuteOfHealth(hour_of(now), 100, True, 200, PictureQuality(80, 10), (0, 0, 4, 0, 0, 0, 0, 0)),
            MinuteOfHealth(hour_of(now) + 10 * MINUTE, 20, True, -900, PictureQuality(100, 14)),
            MinuteOfHealth(hour_of(now) + 20 * MINUTE, 0),
            MinuteOfHealth(hour_of(now) - 2 * HOUR, 7, True, 100),
            MinuteOfHealth(hour_of(now) - 25 * HOUR, 9),
        ],
    )
    with site.app.app_context():
        steps = read_history(site_db, camera.id, Span.DAY, now)
        term = read_history(site_db, camera.id, Span.TERM, now)
    last = steps[-1]
    assert (last.minutes, last.connected, last.share, last.frames) == (30, 3, 0.1, 120)
    assert (last.median_offset, last.most_offset) == (-0.35, -0.9)
    assert (last.mean_brightness, last.mean_sharpness) == (90, 12)
    assert (last.faces, last.height(0.5)) == (4, 28)
    assert [step.frames for step in steps if step.frames] == [7, 120]
    assert sum(step.frames for step in term) == 136


def test_heights_by_share():
    step = HistoryStep(utc_now(), utc_now() + HOUR, heights=[0, 10, 0, 0, 0, 0, 0, 10])
    assert [step.height(share) for share in (0, 0.25, 0.5, 0.75, 1)] == [16, 20, 24, 240, 320]
    assert HistoryStep(utc_now(), utc_now() + HOUR).height(0.5) is None


def test_the_page_draws_charts_that_the_policy_allows_and_a_table(admin, site_db, camera):
    now = utc_now()
    keep(site_db, camera, term_of_a_camera(now))
    for show, words in (("day", "24 hours"), ("week", "7 days"), ("term", "18 weeks")):
        answer = admin.get(f"/admin/cameras/{camera.id}/health?show={show}")
        assert answer.status_code == 200
        charts = re.findall(r'<svg[^>]*class="[^"]*chart-svg.*?</svg>', answer.text, re.DOTALL)
        assert (len(charts), answer.text.count("<figure")) == (6, 6)
        assert not re.search(r"<svg[^>]*>.*(style=|<script|<style)", "".join(charts), re.DOTALL)
        assert f'aria-current="page">{words}' in answer.text
    assert f'href="/admin/cameras/{camera.id}/health"' in admin.get(f"/admin/cameras/{camera.id}").text
    rows = re.findall(r"<tr>.*?</tr>", answer.text, re.DOTALL)
    assert 100 < len(rows) < 126  # without the week in which it stood away
    assert sum("px" in plain(row) for row in rows) > 70


def test_without_anything_the_page_says_so(admin, camera):
    text = admin.text(f"/admin/cameras/{camera.id}/health")
    assert "Nothing came in this time" in text
    assert '<svg class="chart' not in text
    assert admin.get(f"/admin/cameras/{camera.id}/health?show=year").status_code == 404
    assert admin.get("/admin/cameras/999/health").status_code == 404


def test_the_file_holds_the_same_and_is_noted(admin, site_db, camera):
    now = utc_now()
    keep(
        site_db,
        camera,
        [MinuteOfHealth(hour_of(now), 100, True, -1500, PictureQuality(80.4, 10.26), (0, 0, 4, 0, 0, 0, 0, 0))],
    )
    answer = admin.get(f"/admin/cameras/{camera.id}/health.csv")
    assert "camera-health_hall-front_day_" in answer.headers["Content-Disposition"]
    lines = list(csv.reader(io.StringIO(answer.text.lstrip("\ufeff"))))
    assert len(lines) == 1 + 24
    assert lines[0][2:5] == ["Minutes connected", "Connected", "Pictures"]
    assert lines[-1][2] == "1"
    assert lines[-1][4:] == ["100", "-1.5", "-1.5", "80", "10.26", "4", "24.8", "28", "31.2"]
    assert lines[1][4:] == ["0", "", "", "", "", "0", "", "", ""]
    assert admin.get(f"/admin/cameras/{camera.id}/health.xlsx?show=term").status_code == 200
    site_db.rollback()
    noted = [entry for entry in site_db.query(AuditEntry) if entry.action == AuditAction.EXPORTED]
    assert [(entry.subject, entry.details["form"]) for entry in noted] == [
        ("hall front", "csv"),
        ("hall front", "xlsx"),
    ]


def test_a_clock_that_is_right_has_no_sign(admin, site_db, camera):
    keep(site_db, camera, [MinuteOfHealth(hour_of(utc_now()), 100, True, -4)])
    text = admin.text(f"/admin/cameras/{camera.id}/health")
    assert " 0 s " in text
    assert "\N{MINUS SIGN}0 s" not in text
