"""Files as answers."""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum

from flask import Response, abort, current_app, request, stream_with_context
from flask_babel import gettext

from webapp.exports.csv_file import csv_blocks
from webapp.exports.sheets import Sheet
from webapp.exports.workbook import write_workbook


class Form(StrEnum):
    """What a file may be."""

    CSV = "csv"
    XLSX = "xlsx"


def asked_form() -> Form:
    """Which file the address asks for: `?form=csv`, which is so without it, or `?form=xlsx`; anything else is 400."""
    text = request.args.get("form", Form.CSV)
    try:
        return Form(text)
    except ValueError:
        abort(400, gettext("There is this file as csv and as xlsx."))


def answer(sheets: Iterable[Sheet], *, file_name: str, form: Form | str) -> Response:
    """The sheets as a file to keep.

    CSV is sent while it is written: sheets of the same columns follow each other below one header; a sheet of others
    begins after an empty line with its own. A workbook is written to disk first, a row at a time.

    Args:
        sheets: at least one, in order; a workbook has one of its own for each.
        file_name: without its ending; `file_stem` makes it of words.
        form: `Form`, or its value.
    """
    form = Form(form)
    if form is Form.CSV:
        body = stream_with_context(csv_blocks(sheets))
        response = Response(body, content_type="text/csv; charset=utf-8")
    else:
        workbook = write_workbook(sheets, current_app.config["ATTENDANCE"].data.directory)
        response = Response(
            workbook.blocks(), content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        )
        response.content_length = workbook.size
        response.call_on_close(workbook.close)
    response.headers.set("Content-Disposition", "attachment", filename=f"{file_name}.{form}")
    return response


def file_stem(words: Iterable[str]) -> str:
    """A file's name without its ending, from words: "attendance", "CS 101/ä" becomes "attendance_CS-101-a"."""
    ascii_words = (unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode() for word in words)
    cleaned = (re.sub(r"[^A-Za-z0-9.]+", "-", word).strip("-.") for word in ascii_words)
    return "_".join(word for word in cleaned if word)[:120]
