"""What is held, in a browser: it comes while one watches; the keyboard answers it, or a page without scripts."""

import re
from datetime import timedelta

from playwright.sync_api import expect

from attendance.database.models import HeldReason, utc_now
from attendance.database.register import close_ended_sessions
from tests.factories import make_camera
from tests.webapp.holding import hold, keep
from tests.webapp.lessons import make_lesson
from tests.webapp.screens import NARROW


def test_it_comes_while_one_watches_and_the_keyboard_answers_it(dashboard, open_page, assert_accessible):
    with dashboard.sessions() as db:
        lesson = make_lesson(db)
        camera = make_camera(db, name="Front", room=lesson.session.room)
        db.commit()
        page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", reduced_motion="reduce")
        expect(page.locator("[data-live-state]")).to_contain_text("Live, updated")
        hold(db, lesson, lesson.students[0], camera, HeldReason.SAME_PICTURE)
        panel = page.get_by_role("region", name="Held for a person's word 1")
        expect(panel).to_contain_text("The same picture came again and again.")
        expect(page.locator("[data-announce]")).to_contain_text("Held for a person's word 1")
        expect(page.locator(f"#student-{lesson.students[0].id}")).to_contain_text("Held")
        # Another one comes while somebody is about to answer: what is typed stays, and so does the focus.
        panel.get_by_text("With a reason").click()
        reason = page.get_by_label(re.compile("Reason.*Ada Byron"))
        reason.fill("She sits in the first row")
        hold(db, lesson, lesson.students[1], camera, HeldReason.PLANE)
        panel = page.get_by_role("region", name="Held for a person's word 2")
        expect(panel).to_contain_text("Kurt Gödel")
        expect(reason).to_be_focused()
        expect(reason).to_have_value("She sits in the first row")
        assert_accessible(page)
        panel.get_by_role("button", name=re.compile("Accept.*Ada Byron")).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 sighting is accepted.")).to_be_visible()
        expect(page.locator(f"#student-{lesson.students[0].id}")).to_contain_text("Present")
        # From the row, in the dialog.
        page.locator(f"#student-{lesson.students[1].id}").get_by_role("link", name="Held").click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile("Refuse.*Kurt Gödel")).click()
        expect(page.get_by_text("1 sighting is refused.")).to_be_visible()
        expect(page.get_by_role("region", name="Held for a person's word")).to_have_count(0)


def test_a_name_in_the_list_opens_the_dialog_and_a_correction_ends_the_question(dashboard, open_page):
    with dashboard.sessions() as db:
        lesson = make_lesson(db, starts_at=utc_now() - timedelta(days=1))
        camera = make_camera(db, name="Side", room=lesson.session.room)
        db.commit()
        for student in lesson.students[:2]:
            hold(db, lesson, student, camera, HeldReason.SCREEN)
        close_ended_sessions(dashboard.sessions, utc_now())
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}")
    panel = page.get_by_role("region", name="Held for a person's word 2")
    panel.get_by_role("link", name="Ada Byron").click()
    page.get_by_role("dialog").get_by_role("heading", name="Ada Byron").wait_for()
    page.keyboard.press("Escape")
    expect(panel.get_by_role("link", name="Ada Byron")).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Absent").check()
    dialog.get_by_label("Reason", exact=True).last.fill("That was a phone")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator(f"#student-{lesson.students[0].id}")).to_contain_text("Absent")
    panel = page.get_by_role("region", name="Held for a person's word 1")
    expect(panel).to_contain_text("Kurt Gödel")
    expect(panel).not_to_contain_text("Ada Byron")


def test_without_scripts_on_a_phone_in_the_dark(dashboard, open_page, assert_accessible):
    with dashboard.sessions() as db:
        lesson = make_lesson(db, starts_at=utc_now() - timedelta(days=1))
        camera = make_camera(db, name="Back", room=lesson.session.room)
        db.commit()
        close_ended_sessions(dashboard.sessions, utc_now())
        keep(db, lesson, camera, *lesson.students[:2], minutes=range(90))
    scriptless = {"java_script_enabled": False, "size": NARROW}
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}#held", **scriptless)
    panel = page.get_by_role("region", name="Held for a person's word 3")
    panel.get_by_text("The students one by one").click()
    panel.get_by_role("button", name=re.compile("Refuse.*Ada Byron")).click()
    expect(page.get_by_text("1 sighting is refused.")).to_be_visible()
    page.goto("/held")
    page.get_by_role("button", name=re.compile("Accept all")).click()
    expect(page.get_by_text("Nothing is held")).to_be_visible()
    dark = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", size=NARROW, color_scheme="dark")
    row = dark.locator(f"#student-{lesson.students[1].id}")
    expect(row).to_contain_text("Present")
    assert_accessible(dark)
