"""A student's page and its forms: details, consent, photos, and what the gallery has."""

from typing import Any

import sqlalchemy as sa
from flask import make_response, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.file import MultipleFileField
from wtforms import ValidationError
from wtforms.validators import Optional

from attendance.database.models import Course, Enrolment, Student, utc_now
from attendance.tables.fields import CONSENT_MEANS, DECLARED_GROUP, PERSON_NAME
from webapp.admin.forms import AdminForm, DayField, given, index_number_field, sensible_year, text_field
from webapp.admin.gallery_jobs import jobs_of
from webapp.admin.photos import MAX_BYTES, MOST_PHOTOS
from webapp.tools.storage import database
from webapp.tools.times import local, today

_FUTURE = lazy_gettext("This day is in the future.")


class StudentForm(AdminForm):
    """Who a student is."""

    index_number = index_number_field()
    name = text_field(lazy_gettext("Name"), PERSON_NAME)
    declared_group = text_field(lazy_gettext("Declared group"), DECLARED_GROUP, optional=True)

    def leave_index_number(self, present: str) -> "StudentForm":
        """Judge the index number only if it changes: one of long ago may break today's rule. Returns the form."""
        if self.index_number.data == present:
            self.index_number.validators = []
        return self


class NewStudentForm(StudentForm):
    """A student, and perhaps the consent."""

    consent_given_on = DayField(lazy_gettext("Consent given on"), validators=[Optional(), sensible_year])
    consent_means = text_field(lazy_gettext("Consent given by"), CONSENT_MEANS, optional=True)

    def validate_consent_given_on(self, field: DayField) -> None:
        """Not in the future, and there when the means are."""
        if field.data and field.data > today():
            raise ValidationError(_FUTURE)

    def validate_consent_means(self, field: DayField) -> None:
        """Only with a day."""
        if field.data and not self.consent_given_on.data and not self.consent_given_on.errors:
            raise ValidationError(gettext("Give the day of the consent too."))


class ConsentForm(AdminForm):
    """When and by which means a student agreed to be recognised."""

    consent_given_on = DayField(
        lazy_gettext("Given on"),
        validators=[given(lazy_gettext("Choose the day on which consent was given.")), sensible_year],
    )
    consent_means = text_field(lazy_gettext("By which means"), CONSENT_MEANS)

    def validate_consent_given_on(self, field: DayField) -> None:
        """Not in the future."""
        if field.data and field.data > today():
            raise ValidationError(_FUTURE)


class PhotosForm(AdminForm):
    """Photos to enrol."""

    photos = MultipleFileField(lazy_gettext("Photos"))


def student_page(student: Student, wrong: AdminForm | None = None) -> ResponseReturnValue:
    """A student's page.

    Args:
        student: the row.
        wrong: the form that came with errors; the others show what is recorded.
    """
    db = database()
    courses = sa.select(Course).join(Enrolment).where(Enrolment.student_id == student.id).order_by(Course.code)
    forms = {
        "details": StudentForm(formdata=None, obj=student),
        "consent": ConsentForm(formdata=None, data=_consent_of(student)),
        "photos": PhotosForm(formdata=None),
    }
    for name, form in forms.items():
        if type(form) is type(wrong):
            forms[name] = wrong
    page = render_template(
        "admin/student.html",
        **forms,
        wrong=wrong,
        courses=db.scalars(courses).all(),
        most_photos=MOST_PHOTOS,
        most_bytes=MAX_BYTES,
        today=today(),
        **gallery_of(student),
    )
    response = make_response(page, 422 if wrong else 200)
    if student.consent_given_at is not None:
        # This page, and no other, may ask the browser for the camera.
        response.headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    return response


def gallery_of(student: Student) -> dict[str, Any]:
    """What the page says of a student and the gallery, which is read again while jobs go on."""
    return {"student": student, "jobs": jobs_of(database(), student.index_number, utc_now())}


def _consent_of(student: Student) -> dict[str, Any]:
    moment = student.consent_given_at
    return {"consent_given_on": local(moment).date() if moment else today(), "consent_means": student.consent_means}
