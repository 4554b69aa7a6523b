"""Every page a lecturer opens, held against WCAG 2.1 A and AA by axe, wide, narrow and dark.

With the environment variable `PAGES`, a regular expression, the addresses of the exhaustive form are those that match:
`PAGES='webhooks|calendars' pytest tests/webapp/test_browser_accessibility.py -k every_address`.
"""

import os
import re
from datetime import timedelta
from http import HTTPStatus

import pytest

from attendance.database.corrections import correct_status
from attendance.database.excuses import NewExcuse, give_excuse
from attendance.database.guests import record_guest
from attendance.database.models import Role, Status, Student, utc_now
from attendance.database.register import Sighting, close_ended_sessions
from attendance.database.teaching.changes import cancel
from tests.factories import enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student
from tests.webapp.addresses import addresses, furnish
from tests.webapp.lessons import LONG_AGO, make_lesson, see
from tests.webapp.me.students import enter as enter_as_student
from tests.webapp.me.students import link_of
from tests.webapp.screens import MEDIUM, NARROW, WIDE
from tests.webapp.visiting import Site
from webapp.account.permissions import Access
from webapp.app import create_app
from webapp.tools.storage import sessions_of

ONLY = os.environ.get("PAGES", "")
LONG_NAME = "Maria Anna Wilhelmina Theodora Konstantinopolitańczykowianeczkówna-Wolfeschlegelsteinhausenbergerdorff"


@pytest.fixture(scope="module")
def campus(dashboard):
    """A lecturer with everything that pages can show; a new lecturer with nothing."""
    with dashboard.sessions() as db:
        lesson = make_lesson(db, "Ada Byron", "Kurt Gödel", LONG_NAME, "Олена Шевченко", "王小明", course_name="Logic")
        past = make_session(db, lesson.course, starts_at=LONG_AGO)
        make_session(db, lesson.course, starts_at=utc_now() + timedelta(days=1))
        enrol(db, make_course(db, lecturers=(lesson.lecturer,)), make_student(db))
        empty = make_session(db, make_course(db, lecturers=(lesson.lecturer,)), starts_at=utc_now())
        for n, student in enumerate(lesson.students[:3]):
            see(db, lesson, student, minute=n * 9)
            see(db, lesson, student, minute=n * 9, session=past)
        newcomer = make_lecturer(db)
        joint = make_session(
            db,
            lesson.course,
            starts_at=utc_now(),
            group=make_group(db, lesson.course, "Monday, nine o'clock", members=lesson.students[:1]),
            also_for=(make_course(db, lecturers=(lesson.lecturer,)),),
            also_in=(make_room(db),),
        )
        joint.note = "Bring a laptop. " * 20
        record_guest(db, Sighting(joint.id, lesson.students[1].index_number, utc_now(), utc_now(), 0.9, None))
        cancelled = make_session(db, lesson.course, starts_at=utc_now() + timedelta(days=2))
        cancel(db, cancelled, reason="ill " * 60, account_id=lesson.lecturer.id)
        ill = NewExcuse(lesson.students[0].id, None, LONG_AGO, LONG_AGO + timedelta(days=21), "ill " * 60, "file 7")
        give_excuse(db, ill, account_id=lesson.lecturer.id)
        db.commit()
        close_ended_sessions(dashboard.sessions, utc_now())
        correct_status(
            db,
            session_id=past.id,
            student_id=lesson.students[0].id,
            status=Status.EXCUSED,
            reason="Seen by the dean's office, " * 15,
            account_id=lesson.lecturer.id,
        )
        db.commit()
    course, session, student_id = lesson.course.id, lesson.session.id, lesson.students[0].id
    pages = [
        "/",
        "/exam-office",
        "/exam-office?as_of=soon",
        f"/sessions/{session}/signing-list",
        f"/courses/{course}/signing-list",
        f"/courses/{course}/signing-list?weeks=0",
        "/?q=zzz",
        f"/courses/{course}",
        f"/courses/{course}?show=upcoming",
        f"/courses/{course}/students",
        f"/courses/{course}/students?q=zzz",
        f"/courses/{course}/students?below=100&sort=rate",
        f"/courses/{course}/matrix",
        f"/courses/{course}/report",
        f"/courses/{empty.course_id}",
        f"/courses/{empty.course_id}/students",
        f"/sessions/{session}",
        f"/sessions/{past.id}",
        f"/sessions/{empty.id}",
        f"/sessions/{joint.id}",
        f"/sessions/{joint.id}/change",
        f"/sessions/{joint.id}/cancel",
        f"/sessions/{cancelled.id}",
        f"/sessions/{cancelled.id}/restore",
        f"/sessions/{session}?q=zzz",
        f"/sessions/{past.id}/students/{student_id}",
        f"/students/{student_id}",
        f"/students/{student_id}?course={course}",
        f"/students/{student_id}/excuses/new",
        "/records",
        f"/records?course={course}&status=late&from=2024-01-01",
        "/records?from=yesterday",
        "/records?student=zzz",
        "/profile",
        "/nothing-here",
        "/admin/",
    ]
    return lesson, newcomer, pages


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (NARROW, "light"), (WIDE, "dark")], ids=["wide", "narrow", "dark"]
)
def test_the_sign_in_the_menu_and_a_correction(campus, open_page, assert_accessible, size, scheme):
    lesson, newcomer, _ = campus
    page = open_page(None, "/signin", size=size, color_scheme=scheme)
    assert_accessible(page)
    page.get_by_label("E-mail address").fill(lesson.lecturer.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    assert_accessible(page)
    page = open_page(lesson.lecturer, f"/sessions/{lesson.session.id}", size=size, color_scheme=scheme)
    page.locator("[data-menu] summary").click()
    assert_accessible(page)
    page.locator("[data-menu] summary").click()
    page.get_by_role("link", name="Correct Ada Byron").click()
    page.get_by_role("dialog").wait_for()
    assert_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    page.get_by_text("Say why").wait_for()
    assert_accessible(page)
    page.goto("/profile")
    page.get_by_role("button", name="Change password").click()
    assert_accessible(page)
    page = open_page(newcomer, size=size, color_scheme=scheme)
    for path in ("/", "/records"):
        page.goto(path)
        assert_accessible(page)


def test_every_page(campus, open_page, assert_accessible):
    lesson, _, pages = campus
    page = open_page(lesson.lecturer)
    for path in pages:
        page.goto(path)
        for size in (WIDE, NARROW):
            page.set_viewport_size(size)
            assert_accessible(page)


def test_every_third_page_in_the_dark(campus, open_page, assert_accessible):
    """What dark colours change is on every third page already."""
    lesson, _, pages = campus
    page = open_page(lesson.lecturer, color_scheme="dark")
    for path in pages[::3]:
        page.goto(path)
        assert_accessible(page)


OTHERWISE = [("fr", "light", "screen", WIDE), ("en", "light", "print", WIDE)]
"""Beside the English light pages: what another language and paper change is on every third page."""
EVERYWHERE = [
    (language, theme, "screen", size)
    for language in ("en", "fr")
    for theme in ("light", "dark")
    for size in (NARROW, MEDIUM, WIDE)
]


def complaints_about(page, pages, assert_accessible):
    """What axe and the page's width have to say of each page, all of it in one go."""
    found = []
    for path in pages:
        page.goto(path)
        try:
            assert_accessible(page)
        except AssertionError as error:
            found.append(str(error))
    return found


def look_at(page, language, theme, media):
    """Show the page as a person who has chosen so sees it."""
    for name, value in (("attendance_language", language), ("attendance_theme", theme)):
        page.context.add_cookies([{"name": name, "value": value, "url": page.url}])
    page.emulate_media(media=media)


@pytest.mark.parametrize("how", OTHERWISE, ids=["french", "printed"])
def test_every_third_page_otherwise(campus, open_page, assert_accessible, how):
    (lesson, _, pages), (language, theme, media, size) = campus, how
    page = open_page(lesson.lecturer, size=size)
    look_at(page, language, theme, media)
    for path in pages[1::3]:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == language
        assert_accessible(page)


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", EVERYWHERE, ids=lambda how: f"{how[0]}-{how[1]}-{how[3]['width']}")
def test_every_page_everywhere(campus, open_page, assert_accessible, how):
    (lesson, _, pages), (language, theme, media, size) = campus, how
    page = open_page(lesson.lecturer, size=size)
    look_at(page, language, theme, media)
    assert complaints_about(page, pages, assert_accessible) == []


@pytest.fixture(scope="module")
def every_address(dashboard):
    """Every address of the dashboard that is a page: those of an administrator, those of a student."""
    app = create_app(dashboard.settings)
    site = Site(dashboard.settings, app, dashboard.sessions)
    with dashboard.sessions() as db:
        values = furnish(db, 1)
        admin = make_lecturer(db, role=Role.ADMIN)
        student = db.get_one(Student, values["student_id"])
        student.email, student.consent_at = "student@example.edu", utc_now()
        db.commit()
        visitors = site.visitor(admin), enter_as_student(site, db, student)
    pages: tuple[list[str], list[str]] = ([], [])
    for address in addresses(site, values):
        mine = address.need is Access.STUDENT
        shown = address.endpoint != "mail.letter"  # which is shown in a frame of the preview
        if address.method == "GET" and shown and re.search(ONLY, address.path):
            answer = visitors[mine].get(address.path)
            is_html = answer.status_code == HTTPStatus.OK and answer.mimetype == "text/html"
            if is_html and "<html" in answer.text:  # and no part of one
                pages[mine].append(address.path)
            answer.close()
    sessions_of(app).kw["bind"].dispose()
    return admin, student, pages


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", EVERYWHERE, ids=lambda how: f"{how[0]}-{how[1]}-{how[3]['width']}")
def test_every_address_everywhere(dashboard, every_address, open_page, assert_accessible, how):
    (admin, student, (pages, own_pages)), (language, theme, media, size) = every_address, how
    assert ONLY or len(pages) > 70
    assert ONLY or len(own_pages) > 4
    page = open_page(admin, size=size)
    look_at(page, language, theme, media)
    found = complaints_about(page, pages, assert_accessible)
    with dashboard.sessions() as db:
        page = open_page(None, link_of(db, student), size=size)
    page.locator("#index_number").fill(student.index_number)
    page.keyboard.press("Enter")
    page.wait_for_url("**/me")
    look_at(page, language, theme, media)
    assert found + complaints_about(page, own_pages, assert_accessible) == []


def test_no_list_is_cut_off_on_a_tablet(campus, open_page):
    lesson, _, pages = campus
    page = open_page(lesson.lecturer, size={"width": 768, "height": 1024})
    wider = {}
    for path in (path for path in pages if "signing" not in path and "?" not in path):
        page.goto(path)
        cut = page.evaluate(
            "Array.from(document.querySelectorAll('.table-card > .table'), (table) =>"
            " table.scrollWidth - table.parentElement.clientWidth).filter((more) => more > 0)"
        )
        if cut or page.evaluate("document.documentElement.scrollWidth") > 768:
            wider[path] = cut
    assert wider == {}


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(campus, open_page):
    lesson, _, _ = campus
    page = open_page(lesson.lecturer, "/records")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to the content"
    assert focused.bounding_box()["y"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
    page.locator("[data-menu] summary").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert not page.locator("[data-menu]").evaluate("menu => menu.open")
    outline = page.locator("#student").evaluate(
        "field => { field.focus(); return getComputedStyle(field).outlineStyle }"
    )
    assert outline == "solid"
