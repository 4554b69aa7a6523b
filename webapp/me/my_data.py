"""*My data*: all that is kept of a student, as one archive of CSV and JSON, for the student."""

import json
from collections.abc import Iterator
from typing import Any

from flask import current_app, render_template, stream_with_context
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Student
from attendance.tables.writing import csv_lines
from webapp.exports.answers import file_stem
from webapp.me.blueprint import blueprint
from webapp.me.identity import for_student
from webapp.me.own_data.table import Cell, OwnTable
from webapp.me.own_data.tables import TABLES
from webapp.tools.archives import zip_pieces, zip_response
from webapp.tools.storage import release_database, sessions_of


@blueprint.get("/data")
@for_student
def my_data(student: Student) -> ResponseReturnValue:
    """What the download holds."""
    return render_template("me/my_data.html", student=student, tables=[(table.name, table.says) for table in TABLES])


@blueprint.get("/data.zip")
@for_student
def download(student: Student) -> ResponseReturnValue:
    """All of it, written while it is sent."""
    sessions, student_id, number = sessions_of(current_app), student.id, student.index_number
    release_database()  # the stream has its own session
    pieces: Iterator[bytes] = stream_with_context(zip_pieces(_files(sessions, student_id)))
    return zip_response(pieces, f"{file_stem(['my-data', number])}.zip")


def _files(sessions: sessionmaker[Session], student_id: int) -> Iterator[tuple[str, Iterator[str]]]:
    yield "README.txt", _readme()
    with sessions() as db:
        for table in TABLES:
            yield f"{table.name}.csv", _csv(db, table, student_id)
            yield f"{table.name}.json", _json(db, table, student_id)


def _readme() -> Iterator[str]:
    title = gettext("All that %(institution)s keeps of you for class attendance.", institution=_institution())
    yield f"{title}\n\n"
    for table in TABLES:
        yield f"{table.name}: {table.says}\n"
    more = gettext(
        "Each table is there twice, as CSV for spreadsheets and as JSON for programs. Times are in ISO 8601. What is "
        "made of your photos to recognise you is counted here and not written out: whoever has it could look for you "
        "in other pictures."
    )
    yield f"\n{more}\n"


def _institution() -> str:
    name: str = current_app.config["INSTITUTION_NAME"]
    return name


def _csv(db: Session, table: OwnTable, student_id: int) -> Iterator[str]:
    rows = ([_text(row[name]) for name in table.columns] for row in table.rows(db, student_id))
    yield from csv_lines(table.columns, rows)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _json(db: Session, table: OwnTable, student_id: int) -> Iterator[str]:
    separator = "[\n"
    for row in table.rows(db, student_id):
        kept: dict[str, Any] = {name: row[name] for name in table.columns}
        yield separator + json.dumps(kept, ensure_ascii=False)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"
