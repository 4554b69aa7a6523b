"""Ids in addresses: one that no row can have leads to what does not exist, and no database is asked for it."""

from typing import Any

from flask import Flask, abort
from werkzeug.routing import IntegerConverter

from webapp.tools.requests import LARGEST_ID


class IdConverter(IntegerConverter):
    """`<int:…>` in an address: as many digits as the largest id has; Python refuses to read thousands of them."""

    regex = rf"\d{{1,{len(str(LARGEST_ID))}}}"


def init_ids(app: Flask) -> None:
    """Bound every `<int:…>` of every route that is added from now on."""
    app.url_map.converters["int"] = IdConverter
    app.url_value_preprocessor(_refuse_ids_of_no_row)


def _refuse_ids_of_no_row(endpoint: str | None, values: dict[str, Any] | None) -> None:
    # After the route is found, not in the converter: a number that the converter refuses would be answered
    # "method not allowed" (405) where a page and a form share an address.
    if any(isinstance(value, int) and value > LARGEST_ID for value in (values or {}).values()):
        abort(404)
