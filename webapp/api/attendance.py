"""The register of a session: reading it, and setting entries as a person does on its page."""

from typing import Any

import marshmallow as ma
from flask import abort, json

from attendance.database.bulk import WantedEntry, decide_many
from attendance.database.corrections import CorrectionError, EntryChangedError, NoEntryError, correct, give_back
from attendance.database.entries import NO_ENTRY
from attendance.database.labels import LabelGoneError
from attendance.database.models import ClassSession, LabelColour, Source, Status, Unrecorded, utc_now
from attendance.tables.fields import CORRECTION_REASON
from webapp.account.identity import current_account
from webapp.account.permissions import Permission, needs
from webapp.account.reach import courses_seen, reach_session, sees_students
from webapp.api.conditional import asked_version, changed, version_tag
from webapp.api.paging import Listing, ListPart, by_id, list_of, part_of_items
from webapp.api.resource import Fields, Resource, identifier, moment
from webapp.api.texts import text_field
from webapp.register.correcting import reach_row
from webapp.register.rows import SCHEDULED, UNSEEN, RegisterRow, labels_of, read_register
from webapp.tools.languages import say_error
from webapp.tools.problems import refuse
from webapp.tools.storage import database
from webapp.tools.template_tools import UNRECORDED

attendance = Resource("Attendance", "Registers of sessions: who was present, and correcting it.")

_STATES = [*(status.value for status in Status), UNSEEN, SCHEDULED, UNRECORDED]
_MOST_ENTRIES = 1000
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": True,
    "description": "The ETag of the entry that was looked at, or its `version` in quotes; `*`: whatever there is.",
    "schema": {"type": "string"},
    "example": '"3"',
}
Answer = tuple[dict[str, Any], int, dict[str, str]]


class LabelFields(Fields):
    """A status of the institution's or the course's own."""

    id = identifier(required=True)
    name = ma.fields.String(required=True)
    kind = ma.fields.Enum(Status, by_value=True, required=True, metadata={"description": "The status that it is of."})
    letter = ma.fields.String(required=True)
    colour = ma.fields.Enum(LabelColour, by_value=True, required=True)


class EntryFields(Fields):
    """A student's entry in a register."""

    student_id = identifier(required=True)
    index_number = ma.fields.String(required=True)
    name = ma.fields.String(required=True)
    enrolled = ma.fields.Boolean(required=True, metadata={"description": "Whether the student is on the roster."})
    status = ma.fields.Enum(Status, by_value=True, required=True, allow_none=True)
    state = ma.fields.String(
        required=True,
        validate=ma.validate.OneOf(_STATES),
        metadata={"description": "The status; without one, why: not seen yet, not begun, or nothing is recorded."},
    )
    label_id = identifier(required=True, allow_none=True)
    unrecorded = ma.fields.Enum(
        Unrecorded, by_value=True, required=True, allow_none=True, metadata={"description": "Why nothing is recorded."}
    )
    source = ma.fields.Enum(
        Source, by_value=True, required=True, allow_none=True, metadata={"description": "Who decided it last."}
    )
    first_seen = moment(required=True, allow_none=True)
    last_seen = moment(required=True, allow_none=True)
    remark = ma.fields.String(required=True, allow_none=True)
    excuse = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "The reason of an excuse that covers the session."}
    )
    disputed = ma.fields.Boolean(required=True, metadata={"description": "Whether the student calls it wrong."})
    held = ma.fields.Boolean(required=True, metadata={"description": "Whether a sighting waits for a person's word."})
    version = ma.fields.Integer(required=True, metadata={"description": "For If-Match; 0: there is no entry yet."})


class Correction(Fields):
    """What an entry is to be."""

    status = ma.fields.Enum(Status, by_value=True, required=True)
    label_id = identifier(load_default=None, allow_none=True, metadata={"description": "A label of this status."})
    reason = text_field(CORRECTION_REASON, about="Why, for whoever reads the register later.")


class WantedFields(Fields):
    """One of several entries, and what it is to be."""

    student_id = identifier(required=True)
    version = ma.fields.Integer(
        required=True,
        strict=True,
        validate=ma.validate.Range(min=NO_ENTRY, max=2**31 - 1),
        metadata={"description": "Of the entry that was looked at; 0 for none."},
    )
    status = ma.fields.Enum(Status, by_value=True, required=True)
    label_id = identifier(load_default=None, allow_none=True)


class SeveralEntries(Fields):
    """Entries to be set at once, for one reason."""

    entries = ma.fields.List(
        ma.fields.Nested(WantedFields), required=True, validate=ma.validate.Length(min=1, max=_MOST_ENTRIES)
    )
    reason = text_field(CORRECTION_REASON, about="Why, for whoever reads the register later.")


class BulkFields(Fields):
    """What became of several entries."""

    batch = ma.fields.String(
        required=True, allow_none=True, metadata={"description": "By which the register's page undoes the change."}
    )
    changed = ma.fields.List(identifier(), required=True, metadata={"description": "Students whose entries are so."})
    left = ma.fields.List(
        identifier(),
        required=True,
        metadata={"description": "Students whose entries were changed meanwhile, and left alone."},
    )


@attendance.route("/sessions/<int:session_id>/statuses")
@needs(Permission.READ)
@attendance.arguments(ListPart, location="query")
@attendance.response(200, list_of(LabelFields))
def list_labels(asked: dict[str, Any], session_id: int) -> Listing:
    """The statuses of the institution's and the courses' own that entries of the session may be given."""
    offered = [
        {"id": label.id, "name": label.name, "kind": Status(label.kind), "letter": label.letter}
        | {"colour": LabelColour(label.colour)}
        for label in labels_of(reach_session(session_id))
    ]
    return part_of_items(offered, by_id(None, lambda label: int(label["id"])), asked)


@attendance.route("/sessions/<int:session_id>/attendance")
@needs(Permission.READ)
@attendance.arguments(ListPart, location="query")
@attendance.response(200, list_of(EntryFields))
def list_entries(asked: dict[str, Any], session_id: int) -> Listing:
    """The register: everybody on the roster, and whoever has an entry, by the students' ids."""
    session = reach_session(session_id)
    rows = read_register(database(), session, utc_now(), courses_seen(session)).rows
    part, status, headers = part_of_items(rows, by_id(None, lambda row: row.student_id), asked)
    return {**part, "items": [_shown(row) for row in part["items"]]}, status, headers


@attendance.route("/sessions/<int:session_id>/attendance/<int:student_id>")
@needs(Permission.READ)
@attendance.response(200, EntryFields)
def get_entry(session_id: int, student_id: int) -> Answer:
    """One student's entry."""
    return _answer(reach_session(session_id), student_id)


@attendance.route("/sessions/<int:session_id>/attendance/<int:student_id>", methods=["PUT"])
@needs(Permission.CORRECT)
@attendance.doc(parameters=[_IF_MATCH])
@attendance.arguments(Correction)
@attendance.response(200, EntryFields)
def set_entry(asked: dict[str, Any], session_id: int, student_id: int) -> Answer:
    """Set a status with a reason, as a person: the machine leaves it alone from then on.

    Answers 412 where the entry is not what was looked at any more, and changes nothing then.
    """
    session = reach_session(session_id)
    row = reach_row(session, student_id)
    version = asked_version(row.entry_version)
    try:
        correct(
            database(),
            session_id=session_id,
            student_id=student_id,
            status=asked["status"],
            label_id=asked["label_id"],
            reason=asked["reason"],
            account_id=current_account().id,
            version=version,
        )
    except LabelGoneError as error:
        refuse("json", label_id=say_error(error))
    except NoEntryError:
        abort(404)
    except EntryChangedError:
        abort(412, changed())
    return _answer(session, student_id)


@attendance.route("/sessions/<int:session_id>/attendance/<int:student_id>/give-back", methods=["POST"])
@needs(Permission.CORRECT)
@attendance.doc(parameters=[_IF_MATCH])
@attendance.response(200, EntryFields)
def give_entry_back(session_id: int, student_id: int) -> Answer:
    """Let the machine decide an entry again that a person had decided; 409 where none had."""
    session = reach_session(session_id)
    version = asked_version(reach_row(session, student_id).entry_version)
    account = current_account().id
    try:
        give_back(database(), session_id=session_id, student_id=student_id, account_id=account, version=version)
    except NoEntryError:
        abort(404)
    except EntryChangedError:
        abort(412, changed())
    except CorrectionError as error:
        abort(409, say_error(error))
    return _answer(session, student_id)


@attendance.route("/sessions/<int:session_id>/attendance", methods=["POST"])
@needs(Permission.CORRECT)
@attendance.arguments(SeveralEntries)
@attendance.response(200, BulkFields)
def set_entries(asked: dict[str, Any], session_id: int) -> dict[str, Any]:
    """Set several entries for one reason, in one change that the register's page can undo.

    Those that were changed meanwhile are left alone, and named in the answer.
    """
    session = reach_session(session_id)
    wanted = {
        entry["student_id"]: WantedEntry(entry["version"], entry["status"], entry["label_id"])
        for entry in asked["entries"]
    }
    if len(wanted) < len(asked["entries"]):
        refuse("json", entries="A student stands in it twice.")
    if not sees_students(session, wanted):
        abort(404)
    try:
        done = decide_many(
            database(),
            session_id=session_id,
            wanted=wanted,
            reason=asked["reason"],
            account_id=current_account().id,
        )
    except LabelGoneError as error:
        refuse("json", entries=say_error(error))
    except NoEntryError:
        abort(404)
    return {"batch": done.batch, "changed": done.changed, "left": done.left}


def _answer(session: ClassSession, student_id: int) -> Answer:
    """The entry as it is now, with its tag."""
    shown = _shown(reach_row(session, student_id))
    text = json.dumps(EntryFields().dump(shown), sort_keys=True)
    return shown, 200, {"ETag": f'"{version_tag(shown["version"], text)}"'}


def _shown(row: RegisterRow) -> dict[str, Any]:
    alike = (
        "student_id", "index_number", "name", "enrolled", "state", "unrecorded", "source", "first_seen", "last_seen",
        "remark", "excuse", "disputed", "held",
    )  # fmt: skip
    status = Status(row.state) if row.state in set(Status) else None
    label_id = row.label.id if row.label else None
    return {
        **{name: getattr(row, name) for name in alike},
        "status": status,
        "label_id": label_id,
        "version": row.entry_version,
    }
