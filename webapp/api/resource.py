"""What all resources of the interface have in common: how they are described, and what is refused at their door."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import marshmallow as ma
from flask import Response, abort, request
from flask_babel import gettext
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser

from webapp.account.permissions import scope_of
from webapp.api.conditional import answer_conditionally
from webapp.api.idempotency import KEY_PARAMETER, begin_once, keep_once
from webapp.tools.problems import refuse
from webapp.tools.requests import LARGEST_ID
from webapp.tools.times import YEARS

V = TypeVar("V", bound=Callable[..., Any])

PREFIX = "/api/v1"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Fields(ma.Schema):
    """What an answer or a request holds; what a request holds beside is refused, as it may be a slip."""

    class Meta:
        """How it is read."""

        unknown = ma.RAISE


class _Parser(FlaskParser):
    # Of a query, too: a filter that is misspelt would be left out, and everything given.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 - as its base has it
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": ma.RAISE,
        "json": ma.RAISE,
    }

    def _raw_load_json(self, req: Any) -> Any:
        try:
            return super()._raw_load_json(req)
        except RecursionError:
            abort(400, gettext("The JSON is nested too deeply."))
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise  # told by the parser's own base
        except ValueError:  # Python makes no number of more than 4,300 digits
            abort(400, gettext("The JSON holds a number of too many digits."))


class Resource(Blueprint):  # type: ignore[misc] # flask-smorest has no types
    """The addresses of one kind of thing.

    Args:
        name: of the kind, as documents have it.
        about: what the kind is, a sentence.
    """

    ARGUMENTS_PARSER = _Parser()

    def __init__(self, name: str, about: str) -> None:
        super().__init__(name, __name__, url_prefix=PREFIX, description=about)
        self._with_query: set[str] = set()
        self._with_body: dict[str, str] = {}
        self._prepare_doc_cbks.append(_describe)
        self.before_request(self._refuse_at_the_door)
        self.before_request(begin_once)
        self.after_request(answer_conditionally)
        self.after_request(keep_once)

    # flask-smorest's own, which have no types: each leaves a view what it is.
    def route(self, rule: str, **options: Any) -> Callable[[V], V]:
        """Answer an address with a view."""
        decorate: Callable[[V], V] = super().route(rule, **options)
        return decorate

    def arguments(self, schema: type[ma.Schema], **options: Any) -> Callable[[V], V]:
        """Hand a view what its schema reads from the request."""
        decorate: Callable[[V], V] = super().arguments(schema, **options)
        return decorate

    def response(self, status: int, schema: type[ma.Schema] | None = None, **options: Any) -> Callable[[V], V]:
        """Answer with what a view gives, as its schema writes it."""
        decorate: Callable[[V], V] = super().response(status, schema, **options)
        return decorate

    def alt_response(self, status: int, **options: Any) -> Callable[[V], V]:
        """Describe what a view answers now and then."""
        decorate: Callable[[V], V] = super().alt_response(status, **options)
        return decorate

    @staticmethod
    def doc(**told: Any) -> Callable[[V], V]:
        """Describe what the other decorators do not."""
        decorate: Callable[[V], V] = Blueprint.doc(**told)
        return decorate

    def _store_endpoint_docs(self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any) -> None:
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        arguments = getattr(obj, "_apidoc", {}).get("arguments", {}).get("parameters", [])
        if any(each["in"] == "query" for each in arguments):
            self._with_query.add(endpoint)
        body = next((each for each in arguments if each["in"] == "json"), None)
        manual: dict[str, Any] = getattr(obj, "_apidoc", {}).get("manual_doc", {})
        kinds = list(manual.get("requestBody", {}).get("content", {}))
        if body is not None or kinds:
            self._with_body[endpoint] = kinds[0] if kinds else "application/json"
        scope = scope_of(obj)
        for method, doc in self._docs[endpoint].items():
            if method != "parameters":
                own = {"operationId": endpoint, "security": [{"token": [scope] if scope else []}]}
                doc["manual_doc"] = {**doc.get("manual_doc", {}), **own}

    def _refuse_at_the_door(self) -> None:
        """Refuse parameters that no view reads (422), and a body of another kind than the view takes (415)."""
        endpoint = (request.endpoint or "").rpartition(".")[2]
        if request.args and endpoint not in self._with_query:
            refuse("query", **dict.fromkeys(request.args, "This address takes no such parameter."))
        wanted = self._with_body.get(endpoint)
        if wanted is not None and request.mimetype != wanted and (request.mimetype or request.content_length):
            abort(415)


def identifier(**arguments: Any) -> ma.fields.Integer:
    """A field for the id of a row."""
    return ma.fields.Integer(strict=True, validate=ma.validate.Range(min=1, max=LARGEST_ID), **arguments)


def asked_identifier(what: str) -> ma.fields.Integer:
    """The same for a query, where a number is text."""
    bounds = ma.validate.Range(min=1, max=LARGEST_ID)
    return ma.fields.Integer(validate=bounds, metadata={"description": what})


class Flag(ma.fields.Boolean):
    """Whether something is so, as JSON says it: true or false, and no word or number instead."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **more: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


def moment(**arguments: Any) -> ma.fields.AwareDateTime:
    """A field for a moment: RFC 3339, UTC."""
    return ma.fields.AwareDateTime(format="iso", validate=_year_can_be_meant, **arguments)


def day(**arguments: Any) -> ma.fields.Date:
    """A field for a day at the institution."""
    return ma.fields.Date(validate=_year_can_be_meant, **arguments)


def _year_can_be_meant(given: date) -> None:
    if given.year not in YEARS:
        raise ma.ValidationError(gettext("This year cannot be meant."))


def no_content() -> Response:
    """The answer to what leaves nothing to say."""
    return Response(status=204)


def _describe(doc: dict[str, Any], doc_info: dict[str, Any], *, method: str, **_context: Any) -> dict[str, Any]:
    """What each operation has beside what its view says."""
    parameters = doc.setdefault("parameters", [])
    parameters.extend(doc_info.get("manual_doc", {}).pop("parameters", ()))  # which would take the place of the others
    if method.upper() in _WRITES:
        parameters.append(KEY_PARAMETER)
    else:
        parameters.append("IF_NONE_MATCH")
        doc.setdefault("responses", {})[304] = "NOT_MODIFIED"
    return doc
