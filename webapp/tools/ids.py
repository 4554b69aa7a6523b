"""Ids in addresses: one that no row can have leads to what does not exist, and no database is asked for it."""

from typing import Any

from flask import Flask
from werkzeug.routing import IntegerConverter, Map

from webapp.tools.requests import LARGEST_ID


class IdConverter(IntegerConverter):
    """`<int:…>` in an address: from 0 to `LARGEST_ID`, unless a route allows less."""

    def __init__(self, map: Map, *arguments: Any, **options: Any) -> None:
        super().__init__(map, *arguments, **{"max": LARGEST_ID, **options})


def init_ids(app: Flask) -> None:
    """Bound every `<int:…>` of every route that is added from now on."""
    app.url_map.converters["int"] = IdConverter
