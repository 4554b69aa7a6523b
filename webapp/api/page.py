"""The description of the interface: for programs as OpenAPI, for people as a page drawn from it, without a script."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, current_app, json, render_template

from webapp.account.permissions import Access, needs

DESCRIPTION = "description of the interface"
"""The extension of the application that gives it."""
_METHODS = ("get", "post", "put", "patch", "delete")

blueprint = needs(Access.ANYBODY)(Blueprint("interface", __name__))


@dataclass(frozen=True)
class DescribedPart:
    """A parameter, or a field of a body.

    Attributes:
        kind: of what it holds, in words: "integer", "string or null", "list of Session".
        values: the only ones, if there are such.
    """

    name: str
    place: str
    kind: str
    required: bool
    about: str
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Operation:
    """A method of an address."""

    name: str
    method: str
    path: str
    summary: str
    about: str
    scopes: Sequence[str]
    parts: Sequence[DescribedPart]
    answers: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Chapter:
    """A kind of thing, and what can be done with it."""

    name: str
    about: str
    operations: Sequence[Operation]


@blueprint.get("/api")
def page() -> str:
    """What the interface offers, for people."""
    spec = described()
    return render_template(
        "api/page.html",
        spec=spec,
        about=[" ".join(text.split()) for text in spec["info"]["description"].split("\n\n")],
        chapters=list(chapters(spec)),
        schemas=list(schemas(spec)),
    )


@blueprint.get("/api/v1/openapi.json")
def openapi() -> Response:
    """The same as OpenAPI 3.1."""
    return Response(json.dumps(described(), sort_keys=False), mimetype="application/json")


def described() -> dict[str, Any]:
    """The description of the interface, as plain values."""
    spec: dict[str, Any] = current_app.extensions[DESCRIPTION]()
    return spec


def chapters(spec: Mapping[str, Any]) -> Iterator[Chapter]:
    """What the description says of each kind of thing."""
    for tag in spec["tags"]:
        operations = [
            _operation(spec, path, method, of_path)
            for path, of_path in spec["paths"].items()
            for method in _METHODS
            if tag["name"] in of_path.get(method, {}).get("tags", ())
        ]
        yield Chapter(tag["name"], tag["description"], operations)


def schemas(spec: Mapping[str, Any]) -> Iterator[tuple[str, str, list[DescribedPart]]]:
    """What answers and requests hold: the name of each, what it is, and its fields."""
    for name, schema in sorted(spec["components"]["schemas"].items()):
        yield name, schema.get("description", ""), list(_fields(schema))


def _operation(spec: Mapping[str, Any], path: str, method: str, of_path: Mapping[str, Any]) -> Operation:
    operation = of_path[method]
    given = [_resolved(spec, each) for each in (*of_path.get("parameters", ()), *operation.get("parameters", ()))]
    parts = [
        _part(one["name"], one["in"], one["schema"], bool(one.get("required")), one.get("description", ""))
        for one in given
    ]
    for kind, body in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(_part("body", kind, body["schema"], True, ""))
    return Operation(
        name=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        about=operation.get("description", ""),
        scopes=operation["security"][0]["token"],
        parts=parts,
        answers=[(status, _answer(held)) for status, held in operation["responses"].items() if status.startswith("2")],
    )


def _answer(held: Mapping[str, Any]) -> str:
    return next((_kind(content["schema"]) for content in held.get("content", {}).values()), "")


def _fields(schema: Mapping[str, Any]) -> Iterator[DescribedPart]:
    required = schema.get("required", ())
    for name, of_field in schema.get("properties", {}).items():
        yield _part(name, "", of_field, name in required, of_field.get("description", ""))


def _part(name: str, place: str, schema: Mapping[str, Any], required: bool, about: str) -> DescribedPart:
    values = [str(value) for value in schema.get("enum", ()) if value is not None]
    return DescribedPart(name, place, _kind(schema), required, about or schema.get("description", ""), values)


def _kind(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for either in ("anyOf", "oneOf", "allOf"):
        if either in schema:
            return " or ".join(_kind(each) for each in schema[either])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    form = schema.get("format")
    return f"{words} ({form})" if form else words


def _resolved(spec: Mapping[str, Any], held: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in held:
        return held
    found: Any = spec
    for name in held["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return dict(found)
