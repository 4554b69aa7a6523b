"""The interface, put together: its resources, its description in OpenAPI, and the errors that it answers with."""

from functools import cache, partial
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.common import resolve_schema_cls
from flask import Flask
from flask_smorest import Api
from flask_smorest.spec.plugins import FlaskPlugin
from flask_wtf.csrf import CSRFProtect

from webapp.api import (
    attendance,
    cameras,
    excuses,
    groups,
    imports,
    page,
    people,
    places,
    reports,
    series,
    session_changes,
)
from webapp.api.resource import Fields, Resource
from webapp.tools.ids import IdConverter
from webapp.tools.problems import PROBLEM
from webapp.tools.requests import LARGEST_ID

VERSION = "1.0"
RESOURCES: tuple[Resource, ...] = (
    people.tokens,
    places.departments,
    groups.courses,
    people.students,
    places.rooms,
    series.series,
    session_changes.sessions,
    attendance.attendance,
    excuses.excuses,
    reports.reports,
    imports.imports,
    cameras.cameras,
)

ABOUT = """\
What the dashboard shows and does, for programs. A program shows a token in the header `Authorization: Bearer …`. People
make tokens on their profile, under “Access for programs”; a token acts for its account and may at most what that may,
narrowed by scopes and, if wanted, to some courses. Cookies are no credentials here.

Times are UTC. Long lists come in parts: `next` holds the cursor of the next part, and so does the header `Link`. Errors
are problems of RFC 9457; `errors` says what is wrong with which field, and `pointers` where that stands in the body.
What is read has an `ETag`: sent in `If-None-Match`, it is answered 304 while nothing has changed. What is changed or
deleted is held against `If-Match`: 428 without it, 412 where somebody changed it meanwhile. Whoever writes may send an
`Idempotency-Key`. The headers `RateLimit` and `RateLimit-Policy` say how many requests a token has left in this minute.
"""


class PointerFields(Fields):
    """What is wrong with a value of the body."""

    pointer = ma.fields.String(required=True, metadata={"description": "Where it is (RFC 6901): #/entries/0/status"})
    detail = ma.fields.String(required=True)


class ProblemFields(Fields):
    """What went wrong (RFC 9457)."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True, metadata={"description": "What happened and what to do."})
    reference = ma.fields.String(metadata={"description": "By which the server's log names a fault of ours."})
    errors = ma.fields.Dict(metadata={"description": "By part of the request and field, what is wrong."})
    pointers = ma.fields.List(
        ma.fields.Nested(PointerFields), metadata={"description": "The same of the body, by JSON pointers."}
    )


class _Description(Api):  # type: ignore[misc] # flask-smorest has no types
    """flask-smorest's, which leaves the errors to `webapp.tools.errors`."""

    ERROR_SCHEMA = ProblemFields

    def _register_error_handlers(self) -> None:
        """None: pages would be answered by them, too."""

    def _register_pagination_header(self) -> None:
        """None: a list says itself where it goes on."""

    def _register_responses(self) -> None:
        problem = {PROBLEM: {"schema": ProblemFields}}
        for status in HTTPStatus:
            content = {} if status < HTTPStatus.BAD_REQUEST else {"content": problem}
            self.spec.components.response(status.name, {"description": status.phrase, **content}, lazy=True)
        default = {"description": "What went wrong.", "content": problem}
        self.spec.components.response(self.DEFAULT_ERROR_RESPONSE_NAME, default, lazy=True)


def init_interface(app: Flask, csrf: CSRFProtect) -> None:
    """Add the interface to the application.

    Args:
        app: with sign-in checks and error pages.
        csrf: whose tokens the interface does without, since no browser brings its credentials by itself.
    """
    app.config.update(
        API_TITLE=f"{app.config['INSTITUTION_NAME']}: attendance",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={
            "info": {"description": ABOUT},
            "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "att_…"}}},
        },
    )
    for resource in RESOURCES:
        csrf.exempt(resource)
        app.register_blueprint(resource)
    app.register_blueprint(page.blueprint)
    # Made when it is asked for, and then kept: it takes longer than the rest of a dashboard's start.
    app.extensions[page.DESCRIPTION] = cache(partial(_describe, app))


def _describe(app: Flask) -> dict[str, Any]:
    """The interface in OpenAPI, as plain values."""
    plugin = FlaskPlugin()
    plugin.register_converter(IdConverter, lambda _converter: {"type": "integer", "minimum": 1, "maximum": LARGEST_ID})
    names = MarshmallowPlugin(schema_name_resolver=_name_of)
    made = _Description(app, spec_kwargs={"flask_plugin": plugin, "marshmallow_plugin": names})
    for resource in RESOURCES:
        resource.register_views_in_doc(made, app, made.spec, name=resource.name, parameters=None)
        made.spec.tag({"name": resource.name, "description": resource.description})
    return _plain(made.spec.to_dict())


def _name_of(schema: Any) -> str:
    """How the description calls what answers and requests hold: "Student" for `StudentFields`."""
    found: Any = resolve_schema_cls(schema)
    return str(found.__name__).replace("Fields", "")


def _plain(spec: dict[str, Any]) -> dict[str, Any]:
    """The description as JSON has it: statuses are text."""
    for operations in spec["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                operation["responses"] = {str(status): held for status, held in operation["responses"].items()}
    return spec
