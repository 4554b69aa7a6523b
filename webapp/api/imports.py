"""Imports of CSV files: tried first, so that a program sees what a file would do, and done when it says so."""

from collections.abc import Sequence
from typing import Any

import marshmallow as ma
from flask import abort, request, url_for
from flask_babel import gettext

from attendance.database.models import Course
from attendance.tables.errors import TableError
from attendance.tables.reading import MAX_BYTES
from webapp.account.permissions import Permission, needs
from webapp.admin.importing.runs import import_uploads, keep_trial, try_uploads, uploaded, uploaded_alone
from webapp.api.resource import Fields, Flag, Resource, asked_identifier, identifier
from webapp.imports.files import Upload
from webapp.imports.kinds import ALL_KINDS
from webapp.imports.plan import CREATABLE, RecordKind
from webapp.imports.report import Outcome, Result
from webapp.imports.together import ImportFile
from webapp.tools.languages import say, say_error
from webapp.tools.problems import refuse
from webapp.tools.storage import database
from webapp.tools.uploads import upload_limit

imports = Resource(
    "Imports",
    "Students, lecturers, courses, rooms, enrolments, groups and timetables out of CSV files: tried first, then done.",
)

_CSV = "text/csv"
_FILE: dict[str, Any] = {
    "required": True,
    "content": {_CSV: {"schema": {"type": "string"}, "example": "index_number,name\n123456,Maria Nowak\n"}},
}


class CountsFields(Fields):
    """How many lines became what, or would."""

    added = ma.fields.Integer(required=True)
    updated = ma.fields.Integer(required=True)
    unchanged = ma.fields.Integer(required=True)
    refused = ma.fields.Integer(required=True)


class ImportFields(Fields):
    """A file that was tried or imported; it is kept for a day."""

    id = ma.fields.String(required=True)
    kind = ma.fields.String(required=True, validate=ma.validate.OneOf(list(ALL_KINDS)))
    course_id = identifier(required=True, allow_none=True)
    done = ma.fields.Boolean(required=True, metadata={"description": "Whether it was imported; before, only tried."})
    lines = ma.fields.Integer(required=True)
    counts = ma.fields.Nested(CountsFields, required=True)
    records = ma.fields.Integer(required=True, metadata={"description": "Records added; a line may add many."})
    asked = ma.fields.Integer(
        required=True, metadata={"description": "Lines that a person should look at before they are imported."}
    )
    missing = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        required=True,
        metadata={"description": "What lines name that is not there and could be created, by its kind."},
    )
    notes = ma.fields.List(ma.fields.String(), required=True)


class LineFields(Fields):
    """What became of a line, or would."""

    line = ma.fields.Integer(required=True)
    result = ma.fields.Enum(Result, by_value=True, required=True)
    column = ma.fields.String(required=True, allow_none=True)
    message = ma.fields.String(required=True)
    question = ma.fields.String(required=True)


class LinesFields(Fields):
    """The lines that were refused, that changed something already there, or that are asked about; the first of each."""

    refused = ma.fields.List(ma.fields.Nested(LineFields), required=True)
    changes = ma.fields.List(ma.fields.Nested(LineFields), required=True)
    questions = ma.fields.List(ma.fields.Nested(LineFields), required=True)


class AskedImport(Fields):
    """About a file."""

    course_id = asked_identifier("Of enrolments: the only course meant, for a file without a column for it.")


class Applying(Fields):
    """The word of whoever imports."""

    checked = Flag(
        load_default=False,
        metadata={"description": "That the lines that are asked about were looked at and are right."},
    )


class Trying(Fields):
    """What may be made where lines name it and it is not there."""

    create = ma.fields.List(ma.fields.String(validate=ma.validate.OneOf(sorted(CREATABLE))), required=True)


@imports.route("/imports/<string(maxlength=32):kind>", methods=["POST"])
@needs(Permission.ADMINISTER)
@upload_limit(MAX_BYTES)
@imports.doc(requestBody=_FILE)
@imports.arguments(AskedImport, location="query")
@imports.response(201, ImportFields)
def try_file(asked: dict[str, Any], kind: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Try a file: nothing is written but what it would do. The body is the file itself, as text/csv."""
    if kind not in ALL_KINDS:
        abort(404)
    course = None
    if "course_id" in asked:
        course = database().get(Course, asked["course_id"]) if kind == "enrolments" else None
        if course is None:
            refuse("query", course_id="There is no such course, or the file is not of enrolments.")
    file = ImportFile(ALL_KINDS[kind], "interface.csv", request.get_data(), course.code if course else None)
    try:
        (name,) = keep_trial([(file, course.id if course else None)])
    except TableError as error:
        refuse("body", file=say_error(error))
    address = url_for("Imports.get_import", import_id=name)
    return _shown(uploaded(name)), 201, {"Location": address}


@imports.route("/imports/runs/<string(maxlength=32):import_id>")
@needs(Permission.ADMINISTER)
@imports.response(200, ImportFields)
def get_import(import_id: str) -> dict[str, Any]:
    """What a file would do, or did."""
    return _shown(uploaded(import_id))


@imports.route("/imports/runs/<string(maxlength=32):import_id>/lines")
@needs(Permission.ADMINISTER)
@imports.response(200, LinesFields)
def get_lines(import_id: str) -> dict[str, Any]:
    """Line by line: what was refused and why, what changed, and what is asked."""
    report = uploaded(import_id).report
    return {
        "refused": _lines(report.refused),
        "changes": _lines(report.changes),
        "questions": _lines(report.questions),
    }


@imports.route("/imports/runs/<string(maxlength=32):import_id>/try-again", methods=["POST"])
@needs(Permission.ADMINISTER)
@imports.arguments(Trying)
@imports.response(200, ImportFields)
def try_file_again(asked: dict[str, Any], import_id: str) -> dict[str, Any]:
    """Try a file once more, with courses, departments or rooms that may be made; 409 once it was imported."""
    if not try_uploads([uploaded_alone(import_id)], frozenset(RecordKind(word) for word in asked["create"])):
        abort(409, gettext("This file has been imported already."))
    return _shown(uploaded(import_id))


@imports.route("/imports/runs/<string(maxlength=32):import_id>/apply", methods=["POST"])
@needs(Permission.ADMINISTER)
@imports.arguments(Applying)
@imports.response(200, ImportFields)
def apply_file(asked: dict[str, Any], import_id: str) -> dict[str, Any]:
    """Import the good lines, as the trial showed them. A file that was imported is answered as it was."""
    upload = uploaded_alone(import_id)
    if not upload.done:
        if upload.report.asked and not asked["checked"]:
            refuse("json", checked="Lines of this file are asked about. Look at them, and say that they are right.")
        import_uploads([upload])
    return _shown(uploaded(import_id))


def _shown(upload: Upload) -> dict[str, Any]:
    report = upload.report
    return {
        "id": upload.token,
        "kind": upload.kind,
        "course_id": upload.course_id,
        "done": upload.done,
        "lines": report.lines,
        "counts": report.counts,
        "records": report.records,
        "asked": report.asked,
        "missing": {record: sorted(names) for record, names in report.missing.items()},
        "notes": [say(note) for note in report.notes],
    }


def _lines(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    return [
        {
            "line": outcome.line,
            "result": outcome.result,
            "column": outcome.column,
            "message": say(outcome.message),
            "question": say(outcome.question),
        }
        for outcome in outcomes
    ]
