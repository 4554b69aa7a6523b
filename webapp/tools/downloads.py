"""Files as answers."""

from collections.abc import Iterator

from flask import Response


def csv_response(lines: Iterator[str], name: str) -> Response:
    """A CSV file as an answer."""
    response = Response((line.encode() for line in lines), content_type="text/csv; charset=utf-8")
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
