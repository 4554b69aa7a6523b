"""Importing CSV files: choose a file, see what it would do, then let it."""

from collections.abc import Sequence
from pathlib import Path

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.file import FileField, FileRequired
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms import BooleanField

from attendance.database.models import Course
from attendance.tables.errors import TableError
from attendance.tables.reading import MAX_BYTES, read_table
from webapp.account.identity import current_lecturer
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm
from webapp.admin.lookup import chosen_id, fetch
from webapp.admin.photos import MAX_BYTES as MOST_BYTES
from webapp.admin.photos import MOST_PHOTOS
from webapp.admin.questions import count_text
from webapp.admin.writing import note
from webapp.imports.files import ImportFiles, ReportFile, Upload
from webapp.imports.kinds import KINDS, Kind
from webapp.imports.report import Report, Result
from webapp.imports.run import run_import
from webapp.tools.errors import error_page
from webapp.tools.spreadsheet import csv_lines
from webapp.tools.storage import database
from webapp.tools.times import zone
from webapp.tools.uploads import upload_limit

_LONGEST_FILE_NAME = 120
_UNCHECKED = "Look at the lines under \u201cPlease check\u201d first. Tick this if they are right."
# The form around a file that is just small enough.
_ROOM_FOR_FORM = 100_000
# How much of a request that is refused for its size is still read: a browser shows the answer only after it has sent
# what it wanted to send.
_MOST_DRAINED = 8 * MAX_BYTES


class UploadForm(AdminForm):
    """A file to import."""

    file = FileField("CSV file", validators=[FileRequired("Choose a file first.")])


class ApplyForm(AdminForm):
    """The word of whoever imports a file."""

    checked = BooleanField("I have checked these lines: they are different students.")


@blueprint.get("/import")
def imports() -> str:
    """The kinds of files."""
    return render_template("admin/imports.html", kinds=KINDS.values())


@blueprint.get("/import/<kind_name>")
def import_page(kind_name: str) -> ResponseReturnValue:
    """Choose a file; `?course=` takes an enrolment file without a column for the course."""
    return _upload_page(_kind(kind_name), _course_meant(kind_name), UploadForm(formdata=None))


@blueprint.post("/import/<kind_name>")
@upload_limit(MAX_BYTES + _ROOM_FOR_FORM)
def upload(kind_name: str) -> ResponseReturnValue:
    """Try the file: nothing is written but the report."""
    kind, course, form = _kind(kind_name), _course_meant(kind_name), UploadForm()
    if not form.validate():
        return _upload_page(kind, course, form)
    data = form.file.data.read(MAX_BYTES + 1)
    try:
        report, lines = _run(kind, course, data, apply=False)
    except TableError as error:
        form.file.errors = [str(error)]
        return _upload_page(kind, course, form)
    name = Path(form.file.data.filename or "").name[:_LONGEST_FILE_NAME] or "file.csv"
    token = _files().keep(Upload(kind_name, name, course.id if course else None, report), data, lines)
    return redirect(url_for("admin.import_report", token=token))


@blueprint.get("/import/runs/<token>")
def import_report(token: str) -> ResponseReturnValue:
    """What the file would do, or did."""
    return _report_page(token, _upload(token), ApplyForm(formdata=None))


def _report_page(token: str, upload: Upload, form: ApplyForm) -> ResponseReturnValue:
    page = render_template(
        "admin/import_report.html",
        token=token,
        upload=upload,
        form=form,
        kind=_kind(upload.kind),
        course=fetch(Course, upload.course_id) if upload.course_id else None,
        report=upload.report,
        changes=upload.report.counts[Result.ADDED] + upload.report.counts[Result.UPDATED],
    )
    return page, 422 if form.errors else 200


@blueprint.post("/import/runs/<token>")
def import_now(token: str) -> ResponseReturnValue:
    """Import the good lines; those with a question need a person's word."""
    upload, files, form = _upload(token), _files(), ApplyForm()
    data = files.data(upload)
    if upload.done or data is None:
        flash("This file has been imported already.", "info")
        return redirect(url_for("admin.import_report", token=token))
    if not form.validate() or (upload.report.asked and not form.checked.data):
        form.checked.errors = [_UNCHECKED]
        return _report_page(token, upload, form)
    kind, course = _kind(upload.kind), fetch(Course, upload.course_id) if upload.course_id else None
    report, lines = _run(kind, course, data, apply=True)
    files.finish(upload, report, lines)
    note("file_imported", kind=kind.slug, lines=report.lines, **report.counts)
    return redirect(url_for("admin.import_report", token=token))


@blueprint.get("/import/runs/<token>/report.csv")
def download_report(token: str) -> ResponseReturnValue:
    """Every line that was refused, changed something or is asked about, as a file."""
    upload = _upload(token)
    response = Response(_files().report(upload), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"import-report_{upload.kind}.csv")
    return response


@blueprint.get("/import/<kind_name>/template.csv")
def download_template(kind_name: str) -> ResponseReturnValue:
    """A file with the columns and no lines."""
    columns = [column.name for column in _kind(kind_name).importer(zone()).columns]
    response = Response("".join(csv_lines(columns, [])), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=f"{kind_name}.csv")
    return response


@blueprint.errorhandler(RequestEntityTooLarge)
def _too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    stream, left = request.environ["wsgi.input"], min(request.content_length or 0, _MOST_DRAINED)
    while left > 0 and (read := len(stream.read(min(left, 65_536)))):
        left -= read
    if request.endpoint == "admin.upload_photos":
        return error_page(413, f"Choose at most {MOST_PHOTOS} photos of at most {MOST_BYTES // 1_000_000} MB each.")
    if request.endpoint != "admin.upload":
        return error_page(413)
    return error_page(
        413, f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it into parts and import one after the other."
    )


def _run(kind: Kind, course: Course | None, data: bytes, *, apply: bool) -> tuple[Report, Sequence[bytes]]:
    """Try or import a file; the report as the page shows it, and that of all lines."""
    importer = kind.importer(zone(), course.code if course else None)
    table, lines = read_table(data, importer.columns), ReportFile()
    report = run_import(database(), table, importer, apply=apply, on_outcome=lines.write)
    return report, lines.finished()


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


def _upload(token: str) -> Upload:
    return _files().load(token) or abort(404)


def _kind(name: str) -> Kind:
    return KINDS.get(name) or abort(404)


def _course_meant(kind_name: str) -> Course | None:
    course_id = chosen_id("course")
    return fetch(Course, course_id) if course_id is not None and kind_name == "enrolments" else None


def _files() -> ImportFiles:
    return ImportFiles(database(), current_lecturer().id)


blueprint.add_app_template_filter(count_text, "counted")
