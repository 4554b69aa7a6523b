"""The form with which a student proposes photos, and the photos proposed so far."""

from typing import Any

from flask import current_app
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from flask_wtf.file import MultipleFileField

from attendance.database.models import Student
from attendance.database.requests.proposals import MOST_WAITING, proposals_of
from webapp.tools.photos import MAX_BYTES, proposals_kept_for
from webapp.tools.storage import database


class ProposalForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Photos to propose."""

    photos = MultipleFileField(lazy_gettext("Photos"))


def photo_parts(student: Student, form: ProposalForm | None = None) -> dict[str, Any]:
    """What the page of the consent shows of photos; nothing where the institution does not take them here."""
    if not current_app.config["ATTENDANCE"].students.photos or student.consent_given_at is None:
        return {}
    return {
        "photos": form or ProposalForm(formdata=None),
        "proposals": proposals_of(database(), student.id, kept_for=proposals_kept_for()),
        "most_photos": MOST_WAITING,
        "most_bytes": MAX_BYTES,
        "days": proposals_kept_for().days,
    }
