"""Enrolling a student in Chromium, from the consent to the index and back, with a camera that sees a real face."""

import os
import subprocess
import sys
from functools import partial

import cv2
import pytest
from playwright.sync_api import expect, sync_playwright

from attendance.database.models import Role, Student, utc_now
from attendance.gallery.format import load_gallery, versions_with
from attendance.gallery.store import read_store
from tests.factories import make_lecturer, make_student
from tests.webapp.running import environ_for
from tests.webapp.screens import CHROMIUM_OPTIONS, NARROW, WIDE
from tests.webapp.tools.test_photos import PHOTO

PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def browser(require_program, pictures, tmp_path_factory):
    """Chromium whose camera sees a face."""
    whole = cv2.imread(str(pictures / "obama.jpg"))
    assert whole is not None
    picture = whole[0:570, 103:863]  # the height of a camera's picture: 4 to 3
    seen = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    seen.write_bytes(cv2.imencode(".jpg", cv2.resize(picture, (640, 480)))[1].tobytes() * 30)
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    path = require_program(["chromium", "chromium-browser", "google-chrome"], "chromium")
    with sync_playwright() as playwright:
        options = [*CHROMIUM_OPTIONS, *camera, f"--use-file-for-fake-video-capture={seen}"]
        chromium = playwright.chromium.launch(executable_path=path, args=options)
        expect.set_options(timeout=PATIENCE_MS)
        yield chromium
        chromium.close()


@pytest.fixture
def db(dashboard):
    with dashboard.sessions() as session:
        yield session


@pytest.fixture
def visit(open_page, db):
    """`visit(path, …)`: a page, signed in as an administrator."""
    admin = make_lecturer(db, name="Barbara Liskov", role=Role.ADMIN)
    db.commit()
    return partial(open_page, admin)


@pytest.fixture
def student(db):
    """A student who agreed."""
    made = make_student(db, name="Ann")
    made.consent_given_at, made.consent_means = utc_now(), "signed form"
    db.commit()
    return made


@pytest.fixture
def work(dashboard):
    """`work()`: does the jobs that wait, as the gallery's worker."""
    engine = {"ATTENDANCE_ENGINE_NAME": "reference", "ATTENDANCE_ENGINE_DETECTOR": "hog"}

    def run():
        subprocess.run(
            [sys.executable, "-m", "operations.cli", "gallery", "work", "--once"],
            env={"PATH": os.environ["PATH"], **environ_for(dashboard.settings, **engine)},
            check=True,
            capture_output=True,
            timeout=120,
        )

    return run


@pytest.fixture
def assert_fine(assert_accessible):
    """`assert_fine(page)`: the page is accessible as wide and as narrow as people have it."""

    def check(page):
        for size in (NARROW, WIDE):
            page.set_viewport_size(size)
            assert_accessible(page)

    return check


def gallery_of(page):
    return page.get_by_role("region", name="In the gallery")


@pytest.mark.timeout(300)
def test_from_consent_to_the_index_and_out_of_it(visit, db, dashboard, pictures, work, assert_fine):  # noqa: PLR0917
    student = make_student(db, "240101", "Barack Obama")
    db.commit()
    page = visit(f"/admin/students/{student.id}")
    expect(page.get_by_text("Record the student's consent first.")).to_be_visible()
    expect(gallery_of(page).get_by_text("Cannot be recognised yet")).to_be_visible()
    assert_fine(page)
    page.get_by_label("By which means").fill("signed form")
    page.get_by_role("button", name="Record the consent").click()
    expect(page.get_by_text("The consent of Barack Obama is recorded.")).to_be_visible()

    page.get_by_label("Photos", exact=True).set_input_files([pictures / "obama2.jpg", pictures / "t1.jpg"])
    page.get_by_role("button", name="Use this computer's camera").click()
    expect(page.get_by_text("The camera is on.")).to_be_visible()
    page.get_by_role("button", name="Take a photo").click()
    page.get_by_text("camera-1.jpg is taken.").wait_for()
    page.get_by_role("button", name="Take a photo").click()
    page.get_by_text("camera-2.jpg is taken.").wait_for()
    page.get_by_role("button", name="Remove camera-1.jpg").click()
    assert_fine(page)
    page.get_by_role("button", name="Switch the camera off").click()
    expect(page.get_by_text("The camera is off.")).to_be_visible()
    page.get_by_role("button", name="Send the photos").click()
    expect(page.get_by_text("3 photos wait to be looked at.")).to_be_visible()
    expect(gallery_of(page).get_by_text("Waiting", exact=True)).to_be_visible()
    assert_fine(page)

    work()  # and the page comes to know it by itself
    gallery = gallery_of(page)
    expect(gallery.get_by_text("Done", exact=True)).to_be_visible()
    expect(page.get_by_text("3 photos wait to be looked at.")).to_have_count(0)  # they do no more
    for text in ("2 of 3 photos can be used.", "Several faces", "2 encodings"):
        expect(gallery.get_by_text(text)).to_be_visible()
    assert_fine(page)
    settings = dashboard.settings
    assert load_gallery(settings.index_path).identities == ("240101",)
    sources = [origin.source for origin in read_store(settings.store_path).provenance["240101"]]
    assert sorted(sources) == ["dashboard:camera-2.jpg", "dashboard:obama2.jpg"]

    page.get_by_role("link", name="Withdraw the consent").click()
    expect(page.get_by_text("2 face encodings and every version of the index")).to_be_visible()
    assert_fine(page)
    page.get_by_role("button", name="Withdraw and erase").click()
    expect(page.get_by_text("are being erased. A new consent can be recorded")).to_be_visible()
    assert_fine(page)
    work()
    erasure = gallery_of(page).get_by_role("listitem").filter(has_text="Erasure")
    expect(erasure).to_contain_text("Done")
    expect(page.get_by_role("button", name="Record the consent")).to_be_visible()  # the page was loaded again
    assert_fine(page)
    assert versions_with(settings.index_path, "240101") == []
    assert "240101" not in read_store(settings.store_path).encodings
    db.expire_all()
    db.rollback()
    assert db.get(Student, student.id).gallery_encodings == 0


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("NotAllowedError", "The browser does not let this page use the camera."),
        ("NotFoundError", "This computer has no camera."),
        ("SomethingElse", "The camera cannot be used."),
    ],
)
def test_a_camera_that_cannot_be_used(visit, student, error, sentence):
    page = visit(f"/admin/students/{student.id}")
    page.evaluate(
        "name => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', name)); }", error
    )
    page.get_by_role("button", name="Use this computer's camera").click()
    expect(page.get_by_text(sentence)).to_be_visible()
    expect(page.get_by_role("button", name="Take a photo")).to_be_hidden()


def test_without_https_there_is_no_camera_and_too_many_photos_are_not_sent(visit, student, assert_fine):
    page = visit("/")
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined });")
    page.goto(f"/admin/students/{student.id}")
    expect(page.get_by_text("open this page over HTTPS")).to_be_visible()
    expect(page.get_by_role("button", name="Use this computer's camera")).to_be_hidden()
    photos = [{"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": PHOTO} for number in range(11)]
    page.get_by_label("Photos", exact=True).set_input_files(photos)
    expect(page.get_by_text("These are 11 photos; at most 10 are taken at once.")).to_be_visible()
    page.get_by_role("button", name="Send the photos").click()
    expect(page.get_by_label("Photos", exact=True)).to_be_focused()  # nothing was sent
    expect(page.get_by_role("button", name="Send the photos")).to_be_enabled()
    assert_fine(page)
    page.get_by_role("button", name="Remove 0.jpg").click()
    page.get_by_role("button", name="Send the photos").click()
    expect(page.get_by_text("10 photos wait to be looked at.")).to_be_visible()


def test_without_javascript_photos_are_sent_as_files(visit, student, assert_fine):
    page = visit(f"/admin/students/{student.id}", java_script_enabled=False)
    expect(page.get_by_text("With JavaScript, photos can be taken here")).to_be_visible()
    page.get_by_label("Photos", exact=True).set_input_files({"name": "a.txt", "mimeType": "", "buffer": b"no picture"})
    page.get_by_role("button", name="Send the photos").click()
    expect(
        page.get_by_role("link", name="a.txt is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC.")
    ).to_be_visible()
    page.get_by_label("Photos", exact=True).set_input_files({"name": "a.jpg", "mimeType": "", "buffer": PHOTO})
    page.get_by_role("button", name="Send the photos").click()
    expect(page.get_by_text("1 photo waits to be looked at.")).to_be_visible()
    expect(page.get_by_text("without JavaScript, load the page again.")).to_be_visible()
