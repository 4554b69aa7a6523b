"""What the import pages share: running files, and the forms below their reports."""

from collections.abc import Sequence

from flask import abort, request
from flask_babel import lazy_gettext
from wtforms import BooleanField

from attendance.database.consent import by_account
from attendance.database.models import Course
from webapp.account.identity import current_account
from webapp.admin.forms import AdminForm
from webapp.admin.lookup import fetch
from webapp.imports.files import ImportFiles, ReportFile, Upload
from webapp.imports.kinds import ALL_KINDS
from webapp.imports.plan import CREATABLE, RecordKind
from webapp.imports.report import Report
from webapp.imports.together import ImportFile, Importing
from webapp.tools.fields import institutions_rule
from webapp.tools.storage import database
from webapp.tools.times import zone

_UNCHECKED = lazy_gettext("Look at the lines under “Please check” first. Tick this if they are right.")


class ApplyForm(AdminForm):
    """The word of whoever imports files."""

    checked = BooleanField(lazy_gettext("I have checked these lines: they are right."))

    def answers(self, reports: Sequence[Report]) -> bool:
        """Whether the form is whole, and what the reports ask is answered."""
        if self.validate() and (self.checked.data or not any(report.asked for report in reports)):
            return True
        self.checked.errors = [_UNCHECKED]
        return False


def run_files(
    files: Sequence[ImportFile], *, create: frozenset[RecordKind] = frozenset(), apply: bool
) -> list[tuple[Report, Sequence[bytes]]]:
    """Try or import files; for each the report as the page shows it, and that of all lines.

    Raises:
        TableError: a file cannot be read.
    """
    lines = [ReportFile() for _ in files]
    importing = Importing(zone(), institutions_rule(), create, by_account(current_account().id))
    reports = importing.run(
        database(), files, apply=apply, on_outcome=lambda place, outcome: lines[place].write(outcome)
    )
    return [(report, file.finished()) for report, file in zip(reports, lines, strict=True)]


def import_files() -> ImportFiles:
    """The files of the administrator who asks."""
    return ImportFiles(database(), current_account().id)


def uploaded(token: str) -> Upload:
    """The file that a token names; 404 where it is none of the administrator who asks."""
    return import_files().load(token) or abort(404)


def uploaded_alone(token: str) -> Upload:
    """The same of a file that is imported by itself; one of several is imported on the page of all."""
    upload = uploaded(token)
    if upload.together is not None:
        abort(404)
    return upload


def file_of(upload: Upload) -> ImportFile | None:
    """A file that was tried, to be run again; None once it was imported."""
    data = import_files().data(upload)
    course = fetch(Course, upload.course_id) if upload.course_id else None
    if upload.done or data is None:
        return None
    return ImportFile(ALL_KINDS[upload.kind], upload.file_name, data, course.code if course else None)


def chosen_creations() -> frozenset[RecordKind]:
    """What the form says may be made."""
    return frozenset(record for record in CREATABLE if record.value in request.form.getlist("create"))


def import_uploads(uploads: Sequence[Upload]) -> bool:
    """Import files that were tried, as their trial was; False where one was imported before."""
    files = [file_of(upload) for upload in uploads]
    whole = [file for file in files if file is not None]
    if len(whole) < len(files):
        return False
    create = frozenset(RecordKind(word) for word in uploads[0].report.create)
    done = run_files(whole, create=create, apply=True)
    for upload, (report, lines) in zip(uploads, done, strict=True):
        import_files().finish(upload, report, lines)
    return True


def try_uploads(uploads: Sequence[Upload], create: frozenset[RecordKind]) -> bool:
    """Try files once more, with something else that may be made; False where one was imported meanwhile."""
    files = [file_of(upload) for upload in uploads]
    whole = [file for file in files if file is not None]
    if len(whole) < len(files):
        return False
    for upload, (report, lines) in zip(uploads, run_files(whole, create=create, apply=False), strict=True):
        import_files().try_again(upload, report, lines)
    return True


def keep_trial(files: Sequence[tuple[ImportFile, int | None]], together: str | None = None) -> list[str]:
    """Try files for the first time and keep them with their reports; the tokens that name them.

    Args:
        files: with the id of the only course meant, or None.
        together: names the import that they are one of, if there are several.

    Raises:
        TableError: a file cannot be read; none is kept.
    """
    tried = run_files([file for file, _ in files], apply=False)
    upload = [
        Upload(file.kind.slug, file.name, course_id, report, together=together)
        for (file, course_id), (report, _) in zip(files, tried, strict=True)
    ]
    return [
        import_files().keep(one, file.data, lines)
        for one, (file, _), (_, lines) in zip(upload, files, tried, strict=True)
    ]
