"""Importing CSV files: choose a file, see what it would do, then let it."""

from pathlib import Path

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.file import FileField, FileRequired
from werkzeug.exceptions import RequestEntityTooLarge

from attendance.database.models import Course
from attendance.tables.errors import TableError
from attendance.tables.reading import MAX_BYTES
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm
from webapp.admin.importing.runs import (
    ApplyForm,
    chosen_creations,
    import_files,
    import_uploads,
    keep_trial,
    try_uploads,
    uploaded,
    uploaded_alone,
)
from webapp.admin.lookup import chosen_id, fetch
from webapp.exports.answers import Form, answer
from webapp.exports.sheets import Sheet, SheetColumn
from webapp.imports.files import Upload
from webapp.imports.kinds import ALL_KINDS, Kind
from webapp.imports.report import FAULTS_HEADER, fault_rows
from webapp.imports.together import ImportFile
from webapp.tools.errors import error_page
from webapp.tools.languages import say_error
from webapp.tools.photos import MAX_BYTES as MOST_BYTES
from webapp.tools.photos import MOST_PHOTOS
from webapp.tools.times import zone
from webapp.tools.uploads import upload_limit

LONGEST_FILE_NAME = 120
# The form around a file that is just small enough.
ROOM_FOR_FORM = 100_000
# How much of a request that is refused for its size is still read: a browser shows the answer only after it has sent
# what it wanted to send.
_MOST_DRAINED = 8 * MAX_BYTES


class UploadForm(AdminForm):
    """A file to import."""

    file = FileField(lazy_gettext("CSV file"), validators=[FileRequired(lazy_gettext("Choose a file first."))])


@blueprint.get("/import")
def imports() -> str:
    """The kinds of files."""
    return render_template("admin/imports.html", kinds=ALL_KINDS.values())


@blueprint.get("/import/<kind_name>")
def import_page(kind_name: str) -> ResponseReturnValue:
    """Choose a file; `?course=` takes an enrolment file without a column for the course."""
    return _upload_page(_kind(kind_name), _course_meant(kind_name), UploadForm(formdata=None))


@blueprint.post("/import/<kind_name>")
@upload_limit(MAX_BYTES + ROOM_FOR_FORM)
def upload(kind_name: str) -> ResponseReturnValue:
    """Try the file: nothing is written but the report."""
    kind, course, form = _kind(kind_name), _course_meant(kind_name), UploadForm()
    if not form.validate():
        return _upload_page(kind, course, form)
    data = form.file.data.read(MAX_BYTES + 1)
    file = ImportFile(kind, name_of(form.file.data.filename), data, course.code if course else None)
    try:
        (token,) = keep_trial([(file, course.id if course else None)])
    except TableError as error:
        form.file.errors = [say_error(error)]
        return _upload_page(kind, course, form)
    return redirect(url_for("admin.import_report", token=token))


@blueprint.get("/import/runs/<token>")
def import_report(token: str) -> ResponseReturnValue:
    """What the file would do, or did."""
    return _report_page(uploaded(token), ApplyForm(formdata=None))


@blueprint.post("/import/runs/<token>")
def import_now(token: str) -> ResponseReturnValue:
    """Import the good lines; those with a question need a person's word."""
    upload, form = uploaded_alone(token), ApplyForm()
    if not upload.done and not form.answers([upload.report]):
        return _report_page(upload, form)
    if not import_uploads([upload]):
        flash(gettext("This file has been imported already."), "info")
    return redirect(url_for("admin.import_report", token=token))


@blueprint.post("/import/runs/<token>/again")
def try_again(token: str) -> ResponseReturnValue:
    """Try the file once more, with courses or rooms that may be made."""
    if not try_uploads([uploaded_alone(token)], chosen_creations()):
        flash(gettext("This file has been imported already."), "info")
    return redirect(url_for("admin.import_report", token=token))


@blueprint.get("/import/runs/<token>/report.csv")
def download_report(token: str) -> ResponseReturnValue:
    """Every line that was refused, changed something or is asked about, as a file."""
    upload = uploaded(token)
    response = Response(import_files().report(upload), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"import-report_{upload.kind}.csv")
    return response


@blueprint.get("/import/runs/<token>/faults.csv")
def download_faults(token: str) -> ResponseReturnValue:
    """The reasons why lines were refused, each once, with the lines, as a file."""
    upload = uploaded(token)
    sheet = Sheet(
        gettext("Faults"), [SheetColumn(heading) for heading in FAULTS_HEADER], fault_rows(upload.report.faults)
    )
    return answer([sheet], file_name=f"import-faults_{upload.kind}", form=Form.CSV)


@blueprint.get("/import/<kind_name>/template.csv")
def download_template(kind_name: str) -> ResponseReturnValue:
    """A file with the columns and no lines."""
    columns = [SheetColumn(column.name) for column in _kind(kind_name).importer(zone()).columns]
    return answer([Sheet(kind_name, columns, [])], file_name=kind_name, form=Form.CSV)


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    stream, left = request.environ["wsgi.input"], min(request.content_length or 0, _MOST_DRAINED)
    while left > 0 and (read := len(stream.read(min(left, 65_536)))):
        left -= read
    if request.endpoint == "admin.upload_photos":
        return error_page(
            413,
            gettext(
                "Choose at most %(most_photos)s photos of at most %(most_bytes)s MB each.",
                most_photos=MOST_PHOTOS,
                most_bytes=MOST_BYTES // 1000000,
            ),
        )
    if request.endpoint not in ("admin.upload", "admin.upload_together"):
        return error_page(413)
    return error_page(
        413,
        gettext(
            "The file is larger than %(max_bytes)s MB. Split it into parts and import one after the other.",
            max_bytes=MAX_BYTES // 1000000,
        ),
    )


def name_of(given: str | None) -> str:
    """A file's name as the browser gave it, without folders, shortened."""
    return Path(given or "").name[:LONGEST_FILE_NAME] or "file.csv"


def _report_page(upload: Upload, form: ApplyForm) -> ResponseReturnValue:
    page = render_template(
        "admin/import_report.html",
        token=upload.token,
        upload=upload,
        form=form,
        kind=_kind(upload.kind),
        course=fetch(Course, upload.course_id) if upload.course_id else None,
        report=upload.report,
        changes=upload.report.good,
    )
    return page, 422 if form.errors else 200


def _upload_page(kind: Kind, course: Course | None, form: UploadForm) -> ResponseReturnValue:
    page = render_template(
        "admin/import.html",
        kind=kind,
        course=course,
        form=form,
        columns=kind.importer(zone(), course.code if course else None).columns,
        max_bytes=MAX_BYTES,
    )
    return page, 422 if form.errors else 200


def _kind(name: str) -> Kind:
    return ALL_KINDS.get(name) or abort(404)


def _course_meant(kind_name: str) -> Course | None:
    course_id = chosen_id("course")
    return fetch(Course, course_id) if course_id is not None and kind_name == "enrolments" else None
