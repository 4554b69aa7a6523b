"""A student's consent and photos on the dashboard."""

import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from attendance.database.models import (
    AttendanceEvidence,
    ConsentRecorder,
    Erasure,
    ErasureKind,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    JobState,
    Role,
    utc_now,
)
from attendance.texts import english
from tests.factories import make_lecturer, make_student
from tests.webapp.tools.test_photos import PHOTO, PNG, declared, turned
from tests.webapp.visiting import plain

EARLIER = datetime(2026, 10, 1, 12, tzinfo=UTC)


@pytest.fixture
def admin(site, site_db):
    lecturer = make_lecturer(site_db, name="Barbara Liskov", role=Role.ADMIN)
    site_db.commit()
    return site.visitor(lecturer)


@pytest.fixture
def student(site_db):
    """A student who agreed."""
    made = make_student(site_db, "s1", "Ann")
    made.consent_given_at, made.consent_means = EARLIER, "signed form"
    site_db.commit()
    return made


def files(*named):
    return {"photos": [(io.BytesIO(data), name) for name, data in named]}


def send(admin, student, *named):
    return admin.post(f"/admin/students/{student.id}/photos", files(*named), content_type="multipart/form-data")


def page(admin, student):
    return admin.text(f"/admin/students/{student.id}")


def jobs(db):
    db.rollback()
    db.expire_all()
    return db.scalars(sa.select(GalleryJob).order_by(GalleryJob.id)).all()


def add_job(db, kind=GalleryJobKind.ENROL, *, photos=0, minutes_ago=0, **values):
    job = GalleryJob(kind=kind, index_number="s1", requested_at=utc_now() - timedelta(minutes=minutes_ago), **values)
    job.photos.extend(GalleryJobPhoto(file_name=f"{n}.jpg", content=b"x") for n in range(photos))
    db.add(job)
    db.commit()
    return job


def add_erasure(db, *, minutes_ago=0, kind=ErasureKind.WITHDRAWAL, **values):
    asked = utc_now() - timedelta(minutes=minutes_ago)
    erasure = Erasure(kind=kind, recorder=ConsentRecorder.STUDENT, index_number="s1", requested_at=asked, **values)
    db.add(erasure)
    db.commit()
    return erasure


def erasures(db):
    db.rollback()
    return db.scalars(sa.select(Erasure).order_by(Erasure.id)).all()


def record(admin, student, day, means="signed form"):
    return admin.post(f"/admin/students/{student.id}/consent", {"consent_given_on": day, "consent_means": means})


def test_photos_wait_for_the_worker_as_they_were_sent(admin, student, site_db):
    answer = send(admin, student, ("me.jpg", PHOTO), ("me.jpg", turned()), ("x/\u017bak.png", PNG))
    assert answer.status_code == 302
    text = page(admin, student)
    assert "3 photos wait to be looked at." in text
    assert "Photos : 3 photos" in text
    assert "by Barbara Liskov" in text
    (job,) = jobs(site_db)
    assert (job.kind, job.state, job.index_number) == (GalleryJobKind.ENROL, JobState.WAITING, "s1")
    assert [(photo.file_name, photo.content) for photo in job.photos] == [
        ("me.jpg", PHOTO),
        ("me (2).jpg", turned()),
        ("\u017bak.png", PNG),
    ]


def test_good_photos_are_taken_and_bad_ones_named(admin, student, site_db):
    gif = io.BytesIO()
    Image.new("RGB", (9, 9)).save(gif, "GIF")
    send(
        admin,
        student,
        ("good.jpg", PHOTO),
        ("notes.txt", b"not a picture"),
        ("moving.gif", gif.getvalue()),
        ("bomb.png", declared(60_000, 60_000)),
        ("<b>" + "x" * 300, b""),
    )
    text = page(admin, student)
    assert "1 photo waits to be looked at." in text
    for sentence in (
        "notes.txt is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC.",
        "moving.gif is a file of the format GIF. Save it as JPEG.",
        "bomb.png has more than 80 million pixels.",
        "xxx\u2026 is empty.",
    ):
        assert sentence in text
    assert [photo.file_name for photo in jobs(site_db)[0].photos] == ["good.jpg"]


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ([], "Choose a photo first, or take one."),
        ([("notes.txt", b"no picture")], "notes.txt is no picture: neither JPEG, PNG, WebP, AVIF nor HEIC."),
        ([(f"{n}.jpg", PHOTO) for n in range(11)], "These are 11 photos; at most 10 are taken at once."),
    ],
)
def test_nothing_is_taken_and_the_reason_is_said(admin, student, site_db, named, sentence):
    answer = send(admin, student, *named)
    assert answer.status_code == 422
    assert sentence in plain(answer.text)
    assert f'<a href="#photos">{sentence}</a>' in answer.text
    assert "<title>Error: Ann" in answer.text
    assert jobs(site_db) == []


def test_more_than_ten_photos_do_not_wait_at_once(admin, student, site_db):
    add_job(site_db, photos=9)
    assert send(admin, student, ("1.jpg", PHOTO)).status_code == 302
    answer = send(admin, student, ("2.jpg", PHOTO))
    assert answer.status_code == 422
    assert "10 photos of this student wait already." in plain(answer.text)


def test_an_upload_beyond_every_bound_is_refused_before_it_is_read(admin, student, site_db):
    kind = "multipart/form-data; boundary=b"
    address = f"/admin/students/{student.id}/photos"
    declared_length = {"CONTENT_LENGTH": "102000000"}
    answer = admin.client.post(address, data=b"x", content_type=kind, environ_overrides=declared_length)
    assert answer.status_code == 413
    assert "Choose at most 10 photos of at most 10 MB each." in answer.text
    assert jobs(site_db) == []


def test_without_consent_no_photo_is_taken(admin, site_db):
    stranger = make_student(site_db, "s1", "Ann")
    site_db.commit()
    assert "Record the student's consent first." in plain(admin.get(f"/admin/students/{stranger.id}").text).replace(
        "&#39;", "'"
    )
    answer = send(admin, stranger, ("me.jpg", PHOTO))
    assert answer.status_code == 422
    assert "Record the student&#39;s consent first. Nobody is enrolled without it." in answer.text
    stranger.consent_withdrawn_at = EARLIER
    site_db.commit()
    assert send(admin, stranger, ("me.jpg", PHOTO)).status_code == 422
    assert jobs(site_db) == []


def test_a_lecturer_and_a_form_without_its_token_are_refused(site, site_db, admin, student):
    address = f"/admin/students/{student.id}/photos"
    lecturer = make_lecturer(site_db)
    site_db.commit()
    sent = {"content_type": "multipart/form-data"}
    assert site.visitor(lecturer).post(address, files(("me.jpg", PHOTO)), **sent).status_code == 403
    assert admin.client.post(address, data=files(("me.jpg", PHOTO)), **sent).status_code == 400
    assert jobs(site_db) == []


def test_only_this_page_may_ask_for_the_camera(admin, student, site_db):
    def policy(path):
        return admin.get(path).headers["Permissions-Policy"]

    assert policy(f"/admin/students/{student.id}").startswith("camera=(self),")
    assert policy("/admin/students").startswith("camera=(),")
    student.consent_given_at = None
    site_db.commit()
    assert policy(f"/admin/students/{student.id}").startswith("camera=(),")


def test_consent_is_recorded_and_corrected(admin, site_db):
    student = make_student(site_db, "s1", "Ann")
    site_db.commit()
    for day, means, sentence in (
        ("", "form", "Choose the day on which consent was given."),
        ("2099-01-01", "form", "This day is in the future."),
        ("2026-10-01", "", "By which means is empty."),
    ):
        answer = record(admin, student, day, means)
        assert (answer.status_code, sentence in plain(answer.text)) == (422, True)
    assert record(admin, student, "2026-10-01").status_code == 302
    assert "Given on Thu 1 Oct 2026, by signed form." in page(admin, student)
    assert record(admin, student, "2026-10-02", "portal").status_code == 302
    site_db.refresh(student)
    assert (student.consent_given_at, student.consent_means) == (datetime(2026, 10, 1, 22, tzinfo=UTC), "portal")


def test_withdrawing_says_what_goes_and_has_it_erased(admin, student, site_db):
    add_job(site_db, photos=2)
    student.gallery_encodings = 3
    site_db.commit()
    address = f"/admin/students/{student.id}/consent/withdraw"
    text = admin.text(address)
    assert "2 photos on the way into the gallery are deleted now." in text
    assert "3 face encodings and every version of the index that holds them are erased" in text
    assert "The entries in the registers stay" in text
    assert jobs(site_db)[0].state is JobState.WAITING

    assert admin.post(address).status_code == 302
    (enrolment,), (erasure,) = jobs(site_db), erasures(site_db)
    assert (enrolment.state, enrolment.photos) == (JobState.FAILED, [])
    assert (erasure.kind, erasure.index_number, erasure.shared_at) == (ErasureKind.WITHDRAWAL, "s1", None)
    assert (erasure.recorder, erasure.requested_by.name) == (ConsentRecorder.ACCOUNT, "Barbara Liskov")
    site_db.refresh(student)
    assert (student.consent_given_at, student.consent_means) == (None, None)
    assert student.consent_withdrawn_at is not None
    assert site_db.scalar(sa.select(sa.func.count()).select_from(AttendanceEvidence)) == 0

    # What came now would be erased with the rest.
    assert "are being erased. A new consent can be recorded when that is done." in page(admin, student)
    assert "are being erased. Wait until that is done." in plain(record(admin, student, "2026-11-01").text)
    assert send(admin, student, ("me.jpg", PHOTO)).status_code == 422
    assert admin.post(address).status_code == 422
    assert (len(jobs(site_db)), len(erasures(site_db))) == (1, 1)


def test_after_a_withdrawal_only_a_later_consent_counts(admin, student, site_db):
    student.consent_given_at, student.consent_withdrawn_at = None, datetime(2026, 10, 10, 12, tzinfo=UTC)
    site_db.commit()
    assert "Withdrawn on Sat 10 Oct 2026." in page(admin, student)
    for day in ("2026-10-01", "2026-10-10"):
        answer = record(admin, student, day)
        assert answer.status_code == 422
        assert "Consent was withdrawn on Sat 10 Oct 2026." in plain(answer.text)
    assert record(admin, student, "2026-10-11").status_code == 302
    site_db.refresh(student)
    assert (student.consent_withdrawn_at, student.consent_means) == (None, "signed form")


def test_what_the_gallery_has_without_consent_can_be_erased(admin, student, site_db):
    student.consent_given_at = None
    site_db.commit()
    address = f"/admin/students/{student.id}/consent/withdraw"
    assert "There is no consent to withdraw" in admin.text(address)
    assert admin.post(address).status_code == 422
    student.gallery_encodings = 1
    site_db.commit()
    assert "Erase again" in page(admin, student)
    assert admin.post(address).status_code == 302
    assert len(erasures(site_db)) == 1


def test_an_erasure_that_is_not_finished_is_told_and_tried_again(admin, student, site_db):
    student.consent_given_at = None
    message = "somebody reads."
    add_erasure(site_db, minutes_ago=9, leased_until=utc_now() + timedelta(seconds=10), message=message)
    text = page(admin, student)
    assert f"Tried again every minute. Not erased yet: {message}" in text
    assert "are being erased. A new consent can be recorded when that is done." in text
    assert "worker does not seem to run" not in text
    overview = plain(admin.get("/admin").text)
    assert "The erasure of s1 is not finished" in overview
    assert message in overview
    assert "worker does not seem to run" not in overview


def test_an_index_number_that_is_being_erased_is_not_given_to_another(admin, student, site_db):
    add_erasure(site_db)
    other = make_student(site_db, "s2", "Ben")
    site_db.delete(student)
    site_db.commit()
    answer = admin.post(f"/admin/students/{other.id}", {"index_number": "s1", "name": "Ben"})
    assert answer.status_code == 422
    assert "A student of this index number is being erased." in plain(answer.text)
    assert admin.post(f"/admin/students/{other.id}", {"index_number": "s3", "name": "Ben"}).status_code == 302


def test_who_is_added_again_while_being_erased_has_no_consent_yet(admin, student, site_db):
    add_erasure(site_db)
    site_db.delete(student)
    site_db.commit()
    details = {"index_number": "s1", "name": "Ana", "consent_given_on": "2026-10-01", "consent_means": "form"}
    answer = admin.post("/admin/students/new", details)
    assert answer.status_code == 422
    assert "A student of this index number is being erased. Wait until that is done" in plain(answer.text)
    details |= {"consent_given_on": "", "consent_means": ""}
    assert admin.post("/admin/students/new", details).status_code == 302


def test_deleting_a_student_deletes_waiting_photos_at_once(admin, student, site_db):
    add_job(site_db, photos=2)
    assert admin.post(f"/admin/students/{student.id}/delete").status_code == 302
    assert (jobs(site_db), site_db.scalars(sa.select(GalleryJobPhoto.id)).all()) == ([], [])
    (erasure,) = erasures(site_db)
    assert (erasure.kind, erasure.shared_at) == (ErasureKind.DELETION, None)


def test_verdicts_are_shown_in_words_and_their_names_as_text(admin, student, site_db):
    report = [
        {"photo": "<i>a</i>.jpg", "outcome": "no face", "detail": "a face must be upright", "quality": None},
        {"photo": "b.jpg", "outcome": "several faces", "detail": "2 faces", "quality": None},
        {"photo": "c.jpg", "outcome": "ok", "detail": "", "quality": 0.9},
        {"photo": "d.jpg", "outcome": "something new", "detail": "", "quality": 0.9},
    ]
    add_job(site_db, state=JobState.DONE, finished_at=utc_now(), message="1 of 4 photos can be used.", report=report)
    student.gallery_encodings, student.gallery_updated_at = 1, EARLIER
    site_db.commit()
    text = page(admin, student)
    for words in (
        "1 face encoding, changed Thu 1 Oct 2026, 14:00.",
        "1 of 4 photos can be used.",
        "No face was found &lt;i&gt;a&lt;/i&gt;.jpg : a face must be upright",
        "Several faces b.jpg : 2 faces",
        "Used c.jpg",
        "Something new d.jpg",
    ):
        assert words in text
    fragment = admin.get(f"/admin/students/{student.id}/gallery").text
    assert "Several faces" in fragment
    assert "<html" not in fragment
    assert "data-moving" not in fragment


def test_a_long_history_is_cut(admin, student, site_db):
    for number in range(12):
        add_job(site_db, state=JobState.DONE, message=f"Number {number}.")
    text = page(admin, student)
    assert "Number 11." in text
    assert "Number 1." not in text
    assert "2 older ones not shown." in text


@pytest.mark.parametrize(
    ("others", "warned"),
    [
        ({}, True),
        ({"state": JobState.WORKING, "started_at": timedelta()}, False),
        ({"state": JobState.DONE, "started_at": timedelta(), "finished_at": timedelta()}, False),
        ({"state": JobState.WORKING, "started_at": timedelta(hours=1)}, True),
        ({"state": JobState.FAILED, "finished_at": timedelta()}, True),  # by a withdrawal, not by a worker
    ],
)
def test_jobs_that_wait_without_a_worker_are_warned_of(admin, student, site_db, others, warned):
    if others:
        now = utc_now()  # ages in the table above: the tests may have been collected a quarter of an hour ago
        add_job(site_db, **{name: now - it if isinstance(it, timedelta) else it for name, it in others.items()})
    add_job(site_db, photos=1, minutes_ago=4)
    assert "worker" not in page(admin, student)
    add_job(site_db, photos=1, minutes_ago=6)
    assert ("This has waited for more than five minutes" in page(admin, student)) is warned
    assert ("The gallery's worker does not seem to run" in admin.text("/admin").replace("&#39;", "'")) is warned


def test_encodings_under_a_former_index_number_are_erased(admin, student, site_db):
    student.gallery_encodings = 2
    site_db.commit()
    admin.post(f"/admin/students/{student.id}", {"index_number": "s1", "name": "Anna"})
    assert erasures(site_db) == []
    admin.post(f"/admin/students/{student.id}", {"index_number": "s1b", "name": "Anna"})
    assert [(one.kind, one.index_number) for one in erasures(site_db)] == [(ErasureKind.FORMER_NUMBER, "s1")]
    site_db.refresh(student)
    assert (student.gallery_encodings, student.consent_given_at) == (0, EARLIER)
    assert "Add the photos again." in page(admin, student)


def test_lists_show_who_cannot_be_recognised(admin, site_db):
    names = ("Known", "Agreed", "Gone", "Nobody")
    known, agreed, gone, _ = (make_student(site_db, name=name) for name in names)
    known.consent_given_at = agreed.consent_given_at = EARLIER
    known.gallery_encodings = 4
    gone.consent_withdrawn_at = EARLIER
    site_db.commit()
    for chosen, found in (
        ("", names),
        ("no-encodings", names[1:]),
        ("no-consent", ("Nobody",)),
        ("withdrawn", ("Gone",)),
        ("no-course", names),
        ("what", names),
    ):
        text = admin.get(f"/admin/students?list={chosen}").text
        assert tuple(name for name in names if f">{name}</a>" in text) == found, chosen
    text = admin.text("/admin/students")
    for words in ("4 encodings", "Cannot be recognised yet", "Withdrawn", "Not recorded"):
        assert words in text


def test_how_a_job_ended_is_said_in_the_readers_language(admin, student, site_db):
    said = english("%(good)s of %(photos)s photos can be used.", good=1, photos=2)
    add_job(site_db, state=JobState.DONE, finished_at=utc_now(), message=said)
    assert "1 of 2 photos can be used." in page(admin, student)
    admin.client.set_cookie("attendance_language", "fr")
    assert "1 photo(s) sur 2 peuvent servir." in page(admin, student)
