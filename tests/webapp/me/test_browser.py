"""The students' own page in a real browser: every page of it, on a phone and a screen, by keyboard, without a fault."""

import io
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from PIL import Image
from playwright.sync_api import Page, expect

from attendance.database.evidence import record_evidence
from attendance.database.models import Attendance, Dispute, PhotoProposal, Status
from tests.factories import NINE, enrol, make_camera, make_course, make_lecturer, make_room, make_session, make_student
from tests.recognition_service.evidences import make_evidence
from tests.webapp.me.students import link_of

PHONE = {"width": 390, "height": 844}


def furnish(dashboard):
    """A student, seen once and absent once, who proposes a photo; the lecturer of both; and a link to the own page."""
    with dashboard.sessions.begin() as db:
        lecturer = make_lecturer(db, name="Grace Hopper")
        course = make_course(db, name="Computing", lecturers=(lecturer,))
        ann = make_student(db, "s7001", "Ann Wójcik-Nguyễn")
        ann.consent_given_at = NINE
        enrol(db, course, ann)
        room = make_room(db)
        camera = make_camera(db, room=room)
        seen = make_session(db, course, room, closed_at=NINE)
        missed = make_session(db, course, room, starts_at=NINE.replace(day=24), closed_at=NINE.replace(day=25))
        times = {"first_seen": NINE, "last_seen": NINE.replace(minute=30), "camera_id": camera.id, "confidence": 0.9}
        db.add(Attendance(session_id=seen.id, student_id=ann.id, status=Status.PRESENT, **times))
        db.add(Attendance(session_id=missed.id, student_id=ann.id, status=Status.ABSENT))
        record_evidence(db, make_evidence(seen.id, "s7001", camera_id=camera.id))
        buffer = io.BytesIO()
        Image.linear_gradient("L").save(buffer, "JPEG")
        db.add(PhotoProposal(student_id=ann.id, file_name="x" * 200 + ".jpg", content=buffer.getvalue()))
        link = link_of(db, ann)
    return lecturer, ann, seen, missed, link


@pytest.mark.long("the only walk through the students' own page in a browser")
def test_a_student_comes_in_says_what_is_wrong_and_reads_the_answer(
    dashboard, open_page: Callable[..., Page], assert_accessible: Callable[[Page], None]
) -> None:
    lecturer, ann, seen, missed, link = furnish(dashboard)
    page = open_page(None, link, size=PHONE)
    assert_accessible(page)
    page.get_by_label("Your index number").fill("s7001")
    page.keyboard.press("Enter")
    page.wait_for_url("**/me")
    for path in ("/me/consent", "/me/consent/withdraw", "/me/data", f"/me/sessions/{seen.id}", "/me"):
        page.goto(path)
        assert_accessible(page)
    page.goto(f"/me/sessions/{missed.id}")
    page.get_by_label("Present").check()
    page.get_by_label("Why?").fill("I sat behind a pillar.")
    page.get_by_role("button", name="Tell the lecturer").press("Enter")
    expect(page.get_by_text("Waits for an answer")).to_be_visible()
    assert_accessible(page)

    desk = open_page(lecturer, "/")
    expect(desk.get_by_role("heading", name="Students say that entries are wrong")).to_be_visible()
    assert_accessible(desk)
    desk.goto(f"/sessions/{missed.id}")
    desk.get_by_label("Status", exact=True).select_option("disputed")
    desk.get_by_role("link", name="Called wrong").click()
    dialog = desk.get_by_role("dialog")
    dialog.get_by_label("Present, as the student says").check()
    dialog.get_by_label("Answer").fill("I saw you.")
    dialog.get_by_role("button", name="Answer").click()
    expect(desk.get_by_text("Ann Wójcik-Nguyễn is answered.")).to_be_visible()
    expect(desk.locator("[data-disputed]")).to_have_count(0)
    desk.goto(f"/students/{ann.id}/photos")
    assert_accessible(desk)

    page.reload()
    expect(page.get_by_text("I saw you.").first).to_be_visible()
    with page.expect_download() as download:
        page.goto("/me/data")
        page.get_by_role("link", name="Download my data").click()
    assert download.value.suggested_filename == "my-data_s7001.zip"
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/me/signin")
    assert_accessible(page)
    with dashboard.sessions() as db:
        assert db.scalars(sa.select(Dispute.accepted)).all() == [True]
