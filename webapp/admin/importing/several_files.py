"""Importing several CSV files at once: each finds what the others add."""

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.file import MultipleFileField

from attendance.tables.errors import TableError
from attendance.tables.reading import MAX_BYTES
from webapp.admin.blueprint import blueprint
from webapp.admin.forms import AdminForm
from webapp.admin.importing.one_file import ROOM_FOR_FORM, name_of
from webapp.admin.importing.runs import (
    ApplyForm,
    chosen_creations,
    import_files,
    import_uploads,
    keep_trial,
    try_uploads,
)
from webapp.imports.files import Upload, new_name
from webapp.imports.kinds import ALL_KINDS, KINDS
from webapp.imports.report import Report
from webapp.imports.together import ImportFile, in_order, kind_of
from webapp.tools.languages import say_error
from webapp.tools.uploads import upload_limit

MOST_FILES = 10
_MOST_BYTES = 2 * MAX_BYTES
_DONE = lazy_gettext("These files have been imported already.")


class SeveralForm(AdminForm):
    """Files to import."""

    files = MultipleFileField(lazy_gettext("CSV files"))


@blueprint.get("/import/together")
def import_together() -> ResponseReturnValue:
    """Choose the files."""
    return _upload_page(SeveralForm(formdata=None))


@blueprint.post("/import/together")
@upload_limit(_MOST_BYTES + ROOM_FOR_FORM)
def upload_together() -> ResponseReturnValue:
    """Try the files: nothing is written but the reports."""
    form = SeveralForm()
    given = [file for file in request.files.getlist("files") if file.filename]
    if not form.validate():
        return _upload_page(form)
    if not 0 < len(given) <= MOST_FILES:
        form.files.errors = [
            gettext("Choose at most %(most_files)s files.", most_files=MOST_FILES)
            if given
            else gettext("Choose the files first.")
        ]
        return _upload_page(form)
    files, problems = [], []
    for file in given:
        name, data = name_of(file.filename), file.stream.read(MAX_BYTES + 1)
        try:
            files.append(ImportFile(kind_of(data), name, data))
        except TableError as error:
            problems.append(f"{name}: {error}")
    token = new_name()
    try:
        if not problems:
            keep_trial([(file, None) for file in in_order(files)], together=token)
    except TableError as error:
        problems.append(say_error(error))
    if problems:
        form.files.errors = problems
        return _upload_page(form)
    return redirect(url_for("admin.together_report", token=token))


@blueprint.get("/import/together/runs/<token>")
def together_report(token: str) -> ResponseReturnValue:
    """What the files would do, or did."""
    return _report_page(token, _uploads(token), ApplyForm(formdata=None))


@blueprint.post("/import/together/runs/<token>")
def import_together_now(token: str) -> ResponseReturnValue:
    """Import the good lines of all files."""
    uploads, form = _uploads(token), ApplyForm()
    if not _is_done(uploads) and not form.answers([upload.report for upload in uploads]):
        return _report_page(token, uploads, form)
    if not import_uploads([upload for upload in uploads if not upload.done] or uploads):
        flash(_DONE, "info")
    return redirect(url_for("admin.together_report", token=token))


@blueprint.post("/import/together/runs/<token>/again")
def try_together_again(token: str) -> ResponseReturnValue:
    """Try the files once more, with courses or rooms that may be made."""
    if not try_uploads(_uploads(token), chosen_creations()):
        flash(_DONE, "info")
    return redirect(url_for("admin.together_report", token=token))


def _upload_page(form: SeveralForm) -> ResponseReturnValue:
    page = render_template("admin/import_together.html", form=form, kinds=KINDS.values(), max_bytes=_MOST_BYTES)
    return page, 422 if form.errors else 200


def _report_page(token: str, uploads: list[Upload], form: ApplyForm) -> ResponseReturnValue:
    reports = [upload.report for upload in uploads]
    page = render_template(
        "admin/import_together_report.html",
        token=token,
        files=[(upload, ALL_KINDS[upload.kind]) for upload in uploads],
        done=_is_done(uploads),
        form=form,
        total=_sum(reports),
        good=sum(report.good for report in reports),
    )
    return page, 422 if form.errors else 200


def _sum(reports: list[Report]) -> Report:
    """What is said of all files together: how much is refused and asked, what is missing, what would be made."""
    total = Report(create=reports[0].create)
    for report in reports:
        total.lines += report.lines
        total.asked += report.asked
        for word, number in report.counts.items():
            total.counts[word] += number
        for record, names in report.created.items():
            total.created.setdefault(record, []).extend(names)
        for record, missing in report.missing.items():
            named = total.missing.setdefault(record, {})
            for called, lines in missing.items():
                named[called] = named.get(called, 0) + lines
    return total


def _is_done(uploads: list[Upload]) -> bool:
    return all(upload.done for upload in uploads)


def _uploads(token: str) -> list[Upload]:
    return import_files().load_together(token) or abort(404)
