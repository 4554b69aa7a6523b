"""A student's page and its forms: details, consent, photos, and what the gallery has."""

from typing import Any

import sqlalchemy as sa
from flask import make_response, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.file import MultipleFileField
from wtforms import SelectField, ValidationError
from wtforms.validators import Optional

from attendance.database.access.identities import identities_of
from attendance.database.consent import consent_history
from attendance.database.models import Course, Enrolment, PhotoProposal, Student, utc_now
from attendance.database.requests.proposals import students_with_proposals
from attendance.tables.fields import CONSENT_MEANS, DECLARED_GROUP, EMAIL, PERSON_NAME
from webapp.account.oidc.room import provider_name
from webapp.admin.forms import (
    AdminForm,
    DayField,
    given,
    index_number_field,
    one_of_the_list,
    options,
    sensible_year,
    text_field,
)
from webapp.admin.gallery_jobs import jobs_of
from webapp.changes.students import GivenConsent, StudentValues
from webapp.serving.security import CAMERA_ALLOWED
from webapp.tools.languages import LANGUAGES
from webapp.tools.photos import MAX_BYTES, MOST_PHOTOS, proposals_kept_for
from webapp.tools.storage import database
from webapp.tools.times import local, today

_FUTURE = lazy_gettext("This day is in the future.")


class StudentForm(AdminForm):
    """Who a student is."""

    index_number = index_number_field()
    name = text_field(lazy_gettext("Name"), PERSON_NAME)
    email = text_field(lazy_gettext("E-mail address"), EMAIL, optional=True)
    language = SelectField(
        lazy_gettext("Language"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a language of the list."))],
    )
    declared_group = text_field(lazy_gettext("Declared group"), DECLARED_GROUP, optional=True)

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.language.choices = options([("", gettext("That of the browser")), *LANGUAGES.items()])
        if self.language.data is None:
            self.language.data = ""

    def values(self) -> StudentValues:
        """Who a valid form wants the student to be."""
        return StudentValues(
            index_number=self.index_number.data or "",
            name=self.name.data or "",
            email=self.email.data or None,
            language=self.language.data or None,
            declared_group=self.declared_group.data or None,
        )

    def leave_what_stays(self, student: Student) -> "StudentForm":
        """Judge what changes only: a number of long ago may break today's rule. Returns the form."""
        if self.index_number.data == student.index_number:
            self.index_number.validators = []
        self.offer_language_of(student)
        return self

    def offer_language_of(self, student: Student) -> None:
        """Offer the language that a file has given, if there are no pages in it."""
        if student.language and student.language not in LANGUAGES:
            self.language.choices += options([(student.language, student.language)])


class NewStudentForm(StudentForm):
    """A student, and perhaps the consent."""

    consent_given_on = DayField(lazy_gettext("Consent given on"), validators=[Optional(), sensible_year])
    consent_means = text_field(lazy_gettext("Consent given by"), CONSENT_MEANS, optional=True)

    def consent(self) -> GivenConsent | None:
        """The consent that a valid form records, if it does."""
        day = self.consent_given_on.data
        return None if day is None else GivenConsent(day, self.consent_means.data or None)

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
    details = StudentForm(formdata=None, obj=student)
    details.offer_language_of(student)
    forms = {
        "details": details,
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
        proposed=_proposed(student),
        consent_changes=consent_history(db, student.id),
        courses=db.scalars(courses).all(),
        most_photos=MOST_PHOTOS,
        most_bytes=MAX_BYTES,
        today=today(),
        bound=identities_of(db, student),
        provider=provider_name(),
        **gallery_of(student),
    )
    response = make_response(page, 422 if wrong else 200)
    if student.consent_given_at is not None:
        # This page, and no other, may ask the browser for the camera.
        response.headers["Permissions-Policy"] = CAMERA_ALLOWED
    return response


def gallery_of(student: Student) -> dict[str, Any]:
    """What the page says of a student and the gallery, which is read again while jobs go on."""
    return {"student": student, "jobs": jobs_of(database(), student.index_number, utc_now())}


def _proposed(student: Student) -> int:
    """How many photos that the student proposes wait."""
    waiting = students_with_proposals(proposals_kept_for()).where(PhotoProposal.student_id == student.id)
    return sum(photos for _, photos, _ in database().execute(waiting))


def _consent_of(student: Student) -> dict[str, Any]:
    moment = student.consent_given_at
    return {"consent_given_on": local(moment).date() if moment else today(), "consent_means": student.consent_means}
