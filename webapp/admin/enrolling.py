"""A student's consent and photos; what the gallery does with them is a job of its worker."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext, ngettext
from sqlalchemy.orm import Session

from attendance.database.consent import by_account, give_consent, outlives_withdrawal
from attendance.database.models import AuditAction, Student, utc_now
from attendance.database.requests.enrolment import request_enrolment
from attendance.database.upkeep.erasure import withdraw_and_erase
from attendance.database.upkeep.erasure_requests import is_being_erased
from webapp.account.identity import current_account
from webapp.account.noting import noted
from webapp.admin.blueprint import blueprint
from webapp.admin.gallery_jobs import jobs_of, waiting_photos
from webapp.admin.lookup import fetch
from webapp.admin.questions import Question, ask
from webapp.admin.student_page import ConsentForm, PhotosForm, gallery_of, student_page
from webapp.admin.writing import begin_change
from webapp.tools.photos import MAX_BYTES, MOST_PHOTOS, Photo, checked_photos
from webapp.tools.storage import database
from webapp.tools.times import day_text, local, start_of_day, today
from webapp.tools.uploads import upload_limit

# The form around photos that are just small enough.
_ROOM_FOR_FORM = 1_000_000
_ERASING = lazy_gettext("The student's photos and encodings are being erased. Wait until that is done.")


@blueprint.post("/students/<int:student_id>/consent")
def record_consent(student_id: int) -> ResponseReturnValue:
    """Keep when and by which means consent was given."""
    student, form = fetch(Student, student_id), ConsentForm()
    day = form.consent_given_on.data
    if not form.validate() or day is None:
        return student_page(student, form)
    db = begin_change()
    student = _fresh(db, student_id)
    problem = _consent_problem(db, student, day)
    if problem:
        db.rollback()
        form.consent_given_on.errors = [problem]
        return student_page(student, form)
    given_at, recorder = _moment(day, student.consent_given_at), by_account(current_account().id)
    give_consent(db, student, given_at=given_at, means=form.consent_means.data, recorder=recorder)
    db.commit()
    flash(gettext("The consent of %(student)s is recorded.", student=student.name), "success")
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.route("/students/<int:student_id>/consent/withdraw", methods=["GET", "POST"])
def withdraw_consent(student_id: int) -> ResponseReturnValue:
    """Record that consent is withdrawn; the gallery's worker erases what was made from photos."""
    student = fetch(Student, student_id)
    answer = ask(_withdrawal(student))
    if answer is not None:
        return answer
    db = begin_change()
    student = _fresh(db, student_id)
    withdraw_and_erase(db, student, now=utc_now(), recorder=by_account(current_account().id))
    db.commit()
    flash(
        gettext(
            "The consent of %(student)s is withdrawn. Photos and encodings are being erased.", student=student.name
        ),
        "success",
    )
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.post("/students/<int:student_id>/photos")
@upload_limit(MOST_PHOTOS * MAX_BYTES + _ROOM_FOR_FORM)
def upload_photos(student_id: int) -> ResponseReturnValue:
    """Take photos for the gallery's worker; those that cannot be used are named, and the others are taken."""
    student, form = fetch(Student, student_id), PhotosForm()
    if not form.validate():
        return student_page(student, form)
    given = [file for file in request.files.getlist("photos") if file.filename]
    form.photos.errors = _upload_problems(database(), student, len(given))
    if form.photos.errors:
        return student_page(student, form)
    good, rejected = checked_photos(given)
    if not good:
        form.photos.errors = rejected
        return student_page(student, form)
    db = begin_change()
    student = _fresh(db, student_id)
    form.photos.errors = _upload_problems(db, student, len(good))  # somebody may have withdrawn it meanwhile
    if form.photos.errors:
        db.rollback()
        return student_page(student, form)
    request_enrolment(db, student.index_number, _contents(good), asked_by=current_account().id)
    noted(AuditAction.PHOTOS_ADDED, student=student.index_number, details={"photos": len(good)})
    db.commit()
    waiting = ngettext("%(num)s photo waits to be looked at.", "%(num)s photos wait to be looked at.", len(good))
    # It is true until the job has ended: the page's script takes it away then.
    flash({"text": waiting, "until": "gallery"}, "success")  # type: ignore[arg-type] # any JSON does
    if rejected:
        flash(gettext("Not taken: %(rejected)s", rejected=" ".join(rejected)), "error")
    return redirect(url_for("admin.student", student_id=student_id))


@blueprint.get("/students/<int:student_id>/gallery")
def student_gallery(student_id: int) -> str:
    """The part of the student's page that changes while jobs go on."""
    return render_template("admin/_student_gallery.html", **gallery_of(fetch(Student, student_id)))


def _fresh(db: Session, student_id: int) -> Student:
    """The row as it is now that others cannot write any more."""
    return db.get(Student, student_id, populate_existing=True) or abort(404)


def _moment(day: date, before: datetime | None) -> datetime:
    """The moment to record for a day; what is recorded already for it is more exact."""
    if before is not None and local(before).date() == day:
        return before
    return utc_now() if day == today() else start_of_day(day)


def _consent_problem(db: Session, student: Student, day: date) -> str | None:
    if is_being_erased(db, student.index_number):
        return str(_ERASING)
    withdrawn = student.consent_withdrawn_at
    if withdrawn is not None and not outlives_withdrawal(_moment(day, None), withdrawn):
        return gettext(
            "Consent was withdrawn on %(withdrawn)s. Only one that was given later counts.",
            withdrawn=day_text(withdrawn),
        )
    return None


def _upload_problems(db: Session, student: Student, number: int) -> list[str]:
    if student.consent_given_at is None:
        return [gettext("Record the student's consent first. Nobody is enrolled without it.")]
    if is_being_erased(db, student.index_number):
        return [_ERASING]
    if not number:
        return [gettext("Choose a photo first, or take one.")]
    if number > MOST_PHOTOS:
        return [
            gettext(
                "These are %(number)s photos; at most %(most_photos)s are taken at once.",
                number=number,
                most_photos=MOST_PHOTOS,
            )
        ]
    waiting = waiting_photos(db, student.index_number)
    if waiting + number > MOST_PHOTOS:
        return [
            ngettext(
                "%(num)s photo of this student waits already. Wait until it has been looked at.",
                "%(num)s photos of this student wait already. Wait until they have been looked at.",
                waiting,
            )
        ]
    return []


def _contents(photos: Sequence[Photo]) -> Iterator[tuple[str, bytes]]:
    for name, file in photos:
        file.stream.seek(0)
        yield name, file.stream.read()


def _withdrawal(student: Student) -> Question:
    db, back = database(), url_for("admin.student", student_id=student.id)
    jobs = jobs_of(db, student.index_number, utc_now())
    waiting = waiting_photos(db, student.index_number)
    refused = None
    if jobs.erasing:
        refused = _ERASING
    elif student.consent_given_at is None and not student.gallery_encodings:
        refused = gettext("There is no consent to withdraw, and the gallery has nothing of this student.")
    gone = [
        ngettext(
            "%(num)s face encoding and every version of the index that holds it are erased, with the photo from which "
            "it was made where that is still kept.",
            "%(num)s face encodings and every version of the index that holds them are erased, with the photos from "
            "which they were made where those are still kept.",
            student.gallery_encodings,
        ),
        gettext("What confirmed the student's attendance (times and distances of faces) is deleted now."),
    ]
    if waiting:
        gone.insert(
            0,
            ngettext(
                "%(num)s photo on the way into the gallery is deleted now.",
                "%(num)s photos on the way into the gallery are deleted now.",
                waiting,
            ),
        )
    return Question(
        title=gettext("Withdraw the consent of %(student)s?", student=student.name),
        consequences=[
            gettext("Cameras do not record this student any more, from now on."),
            *gone,
            gettext("The entries in the registers stay; lecturers can mark the student by hand."),
            gettext("Backups made before still hold the encodings until they expire."),
        ],
        button=gettext("Withdraw and erase"),
        back=back,
        crumbs=[(gettext("Students"), url_for("admin.students")), (student.name, back)],
        refused=refused,
    )
