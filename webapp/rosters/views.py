"""The administrator's page of OneRoster: an archive in, which is tried first, and one out."""

import sqlalchemy as sa
from flask import current_app, flash, redirect, render_template, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext
from flask_wtf.file import FileField, FileRequired
from wtforms import RadioField

from attendance.database.models import Department
from attendance.tables.errors import TableError
from attendance.texts import english
from webapp.admin.forms import AdminForm, options
from webapp.admin.importing.one_file import ROOM_FOR_FORM
from webapp.admin.importing.runs import keep_trial
from webapp.admin.lookup import chosen_id, fetch
from webapp.imports.files import new_name
from webapp.rosters.archive import MOST_BYTES, open_archive
from webapp.rosters.blueprint import of_administrators
from webapp.rosters.converting import NumberFrom, convert
from webapp.rosters.oneroster_out import archive_pieces
from webapp.tools.archives import zip_response
from webapp.tools.fields import institutions_rule
from webapp.tools.languages import say, say_error
from webapp.tools.storage import database, sessions_of
from webapp.tools.times import today
from webapp.tools.uploads import upload_limit


class ArchiveForm(AdminForm):
    """An archive, and what an index number is in it."""

    file = FileField(
        lazy_gettext("OneRoster archive (ZIP)"), validators=[FileRequired(lazy_gettext("Choose a file first."))]
    )
    number_from = RadioField(
        lazy_gettext("The index number of a student is"),
        choices=options(
            [
                (NumberFrom.IDENTIFIER.value, lazy_gettext("the identifier")),
                (NumberFrom.USERNAME.value, lazy_gettext("the username")),
                (NumberFrom.SOURCED_ID.value, lazy_gettext("the sourcedId")),
            ]
        ),
        default=NumberFrom.IDENTIFIER.value,
    )


@of_administrators.get("")
def page() -> str:
    """Choose an archive, or fetch one."""
    return _page(ArchiveForm(formdata=None))


@of_administrators.post("")
@upload_limit(MOST_BYTES + ROOM_FOR_FORM)
def upload() -> ResponseReturnValue:
    """Try an archive: what it would change is shown as for every import of several files."""
    form = ArchiveForm()
    if not form.validate():
        return _page(form), 422
    try:
        archive = open_archive(form.file.data.read(MOST_BYTES + 1))
        number_from = NumberFrom(form.number_from.data)
        made = convert(database(), archive, rule=institutions_rule(), number_from=number_from, today=today())
        if not made.files:
            raise TableError(english("Nothing in the archive concerns a class that goes on."))
        token = new_name()
        keep_trial([(file, None) for file in made.files], together=token)
    except TableError as error:
        form.file.errors = [say_error(error)]
        return _page(form), 422
    for note in made.notes:
        flash(say(note), "info")
    return redirect(url_for("admin.together_report", token=token))


@of_administrators.get("/export.zip")
def export() -> ResponseReturnValue:
    """Courses, groups, people, enrolments and rates as a OneRoster archive; of a department with `?department=`."""
    chosen = chosen_id("department")
    department = fetch(Department, chosen) if chosen is not None else None
    institution = str(current_app.config["INSTITUTION_NAME"])
    pieces = archive_pieces(sessions_of(current_app), institution, department.id if department else None, today())
    return zip_response(stream_with_context(pieces), "oneroster.zip")


def _page(form: ArchiveForm) -> str:
    departments = database().scalars(sa.select(Department).order_by(Department.name)).all()
    return render_template("rosters/oneroster.html", form=form, departments=departments, max_bytes=MOST_BYTES)
