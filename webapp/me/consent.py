"""The student's consent to being recognised: given and withdrawn by the student."""

from flask import flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from attendance.database.consent import BY_STUDENT, consent_history, give_consent
from attendance.database.models import Student, utc_now
from attendance.database.upkeep.erasure import withdraw_and_erase
from attendance.database.upkeep.erasure_requests import is_being_erased, services_left
from webapp.me.blueprint import blueprint
from webapp.me.identity import for_student
from webapp.me.photo_form import ProposalForm, photo_parts
from webapp.serving.security import CAMERA_ALLOWED
from webapp.tools.storage import begin_change, database

MEANS = "own page"
"""By which means a consent was given here; kept as it is, in English, beside what others write."""


@blueprint.get("/consent")
@for_student
def consent(student: Student) -> ResponseReturnValue:
    """What the consent is for, whether it is given, and every change of it."""
    return consent_page(student)


def consent_page(student: Student, wrong: ProposalForm | None = None) -> ResponseReturnValue:
    """The page, with a form for photos that may have errors."""
    db = database()
    shown = photo_parts(student, wrong)
    erasing = is_being_erased(db, student.index_number)
    page = render_template(
        "me/consent.html",
        student=student,
        erasing=erasing,
        services=services_left(db, student.index_number, utc_now()) if erasing else 0,
        consent_changes=consent_history(db, student.id),
        **shown,
    )
    response = make_response(page, 422 if wrong else 200)
    if shown:
        # This page of the student's, and no other, may ask the browser for the camera.
        response.headers["Permissions-Policy"] = CAMERA_ALLOWED
    return response


@blueprint.post("/consent/give")
@for_student
def give(student: Student) -> ResponseReturnValue:
    """Record the consent."""
    db = begin_change()
    db.refresh(student, with_for_update=True)
    if is_being_erased(db, student.index_number):
        db.rollback()
        flash(gettext("What was made of your photos is still being erased. Try again when that is done."), "error")
    elif student.consent_given_at is None:
        give_consent(db, student, given_at=utc_now(), means=MEANS, recorder=BY_STUDENT)
        db.commit()
        flash(gettext("Your consent is recorded. You can withdraw it here at any time."), "success")
    else:
        db.rollback()
    return redirect(url_for("me.consent"))


@blueprint.get("/consent/withdraw")
@for_student
def ask_withdrawal(student: Student) -> ResponseReturnValue:
    """Say what follows, and ask."""
    return render_template("me/withdraw.html", student=student)


@blueprint.post("/consent/withdraw")
@for_student
def withdraw(student: Student) -> ResponseReturnValue:
    """Withdraw the consent; photos and what was made of them are erased. Said again, it is asked for again."""
    db = begin_change()
    db.refresh(student, with_for_update=True)
    withdraw_and_erase(db, student, now=utc_now(), recorder=BY_STUDENT)
    db.commit()
    flash(gettext("Your consent is withdrawn. Photos and what was made of them are being erased."), "success")
    return redirect(url_for("me.consent"))
