"""What the cameras saw of a student, on the page of the student's entry."""

from datetime import timedelta

import pytest

from attendance.database.engine import begin_writing
from attendance.database.evidence import Evidence, FrameEvidence, record_evidence
from tests.factories import make_camera, make_lecturer
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.screens import NARROW, WIDE


def prove(db, lesson, student, uid="11111111-0000-4000-8000-000000000001", *, frames=3, kept=3):
    """Let a camera called Front keep what confirmed the student; committed."""
    camera, start = make_camera(db, name=f"Front {uid[:2]}"), lesson.session.starts_at
    db.commit()
    details = tuple(
        FrameEvidence(start + timedelta(seconds=n), 0.41 - n / 100, 0.62, 0.75, 84.0, 120.0) for n in range(kept)
    )
    begin_writing(db)
    last = start + timedelta(seconds=frames - 1)
    record_evidence(
        db,
        Evidence(
            uid, lesson.session.id, student.index_number, camera.id, "v7", 0.55, 0.4, 0.21, 0.93, frames, start, last,
            details,
        ),
    )  # fmt: skip
    db.commit()


@pytest.fixture
def lesson(site_db):
    return make_lesson(site_db, "Ada Byron", "Kurt Gödel", "Łukasz Żak", starts_at=LONG_AGO)


def entry_path(lesson, n=0):
    return f"/sessions/{lesson.session.id}/students/{lesson.students[n].id}"


def test_tells_what_confirmed_a_student(site, site_db, lesson):
    see(site_db, lesson, lesson.students[0])
    prove(site_db, lesson, lesson.students[0], frames=5)
    page = site.visitor(lesson.lecturer).text(entry_path(lesson))
    assert "What the cameras saw" in page
    assert "Front 11" in page
    assert "09:00:04" in page
    assert "Pictures 5 Best distance 0.39 Mean distance 0.40 Limit 0.55 Lead 0.21 Confidence High · 93%" in page
    assert "(3 of 5)" in page
    assert "09:00:02 0.39 84 120 0.75" in page


def test_says_when_nothing_is_kept(site, site_db, lesson):
    see(site_db, lesson, lesson.students[0])
    visitor = site.visitor(lesson.lecturer)
    assert "No details of what was seen are kept" in visitor.text(entry_path(lesson))
    assert "No camera has recognised this student" in visitor.text(entry_path(lesson, 1))


def test_shows_one_student_nothing_of_another(site, site_db, lesson):
    prove(site_db, lesson, lesson.students[0])
    assert "Best distance" not in site.visitor(lesson.lecturer).text(entry_path(lesson, 1))


def test_only_for_those_who_may_see_the_register(site, site_db, lesson):
    prove(site_db, lesson, lesson.students[0])
    stranger = make_lecturer(site_db)
    site_db.commit()
    answer = site.visitor(stranger).get(entry_path(lesson))
    assert answer.status_code in {403, 404}
    assert "Front" not in answer.text


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_in_a_browser(dashboard, open_page, assert_accessible, size):
    with dashboard.sessions() as db:
        lesson = make_lesson(db, "Ada Byron")
        see(db, lesson, lesson.students[0])
        prove(db, lesson, lesson.students[0], f"{size['width'] % 90 + 10}222222-0000-4000-8000-000000000002")
    page = open_page(lesson.lecturer, entry_path(lesson), size=size)
    page.get_by_text("The pictures one by one").click()
    page.get_by_role("columnheader", name="Sharpness").wait_for()
    assert_accessible(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
