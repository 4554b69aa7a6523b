"""Photos that a student proposes, taken or chosen on the own page; nothing is made of them before they are accepted."""

from flask import abort, current_app, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, ngettext

from attendance.database.models import Student
from attendance.database.requests.proposals import (
    MOST_WAITING,
    ProposalError,
    propose_photos,
    proposed_photo,
    take_back_proposal,
)
from webapp.me.blueprint import blueprint
from webapp.me.consent import consent_page
from webapp.me.identity import for_student
from webapp.me.photo_form import ProposalForm
from webapp.tools.languages import say_error
from webapp.tools.photos import (
    MAX_BYTES,
    Photo,
    PhotoError,
    checked_photos,
    photo_answer,
    proposals_kept_for,
    small_copy,
)
from webapp.tools.storage import database
from webapp.tools.uploads import upload_limit

_ROOM_FOR_FORM = 1_000_000


@blueprint.post("/photos")
@upload_limit(MOST_WAITING * MAX_BYTES + _ROOM_FOR_FORM)
@for_student
def propose(student: Student) -> ResponseReturnValue:
    """Take photos; those that cannot be used are named, and the others are taken."""
    if not current_app.config["ATTENDANCE"].students.photos:
        abort(404)
    form = ProposalForm()
    if not form.validate():
        return consent_page(student, form)
    given = [file for file in request.files.getlist("photos") if file.filename]
    good, rejected = checked_photos(given[: MOST_WAITING + 1])
    contents = [(name, content) for name, content in _decodable(good, rejected)]
    if not contents:
        form.photos.errors = rejected or [gettext("Choose a photo first, or take one.")]
        return consent_page(student, form)
    try:
        propose_photos(database(), student_id=student.id, photos=contents, kept_for=proposals_kept_for())
    except ProposalError as error:
        form.photos.errors = [say_error(error)]
        return consent_page(student, form)
    said = ngettext(
        "%(num)s photo waits until somebody has looked at it.",
        "%(num)s photos wait until somebody has looked at them.",
        len(contents),
    )
    flash(said, "success")
    if rejected:
        flash(gettext("Not taken: %(photos)s", photos=" ".join(rejected)), "error")
    return redirect(url_for("me.consent"))


@blueprint.get("/photos/<int:proposal_id>.jpg")
@for_student
def own_photo(student: Student, proposal_id: int) -> ResponseReturnValue:
    """One of the student's own photos that wait, small."""
    return photo_answer(proposed_photo(database(), student.id, proposal_id, kept_for=proposals_kept_for()))


@blueprint.post("/photos/<int:proposal_id>/take-back")
@for_student
def take_photo_back(student: Student, proposal_id: int) -> ResponseReturnValue:
    """Delete a photo that waits."""
    if not take_back_proposal(database(), proposal_id=proposal_id, student_id=student.id):
        abort(404)
    flash(gettext("The photo is deleted."), "success")
    return redirect(url_for("me.consent"))


def _decodable(photos: list[Photo], rejected: list[str]) -> list[tuple[str, bytes]]:
    """Name and content of those that can be shown to who decides; of others, why not, is added to `rejected`."""
    contents = []
    for name, file in photos:
        file.stream.seek(0)
        content = file.stream.read()
        try:
            small_copy(content)
        except PhotoError as error:
            rejected.append(f"{name[:30]} {say_error(error)}")
        else:
            contents.append((name, content))
    return contents
