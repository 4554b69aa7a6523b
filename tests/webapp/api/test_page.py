"""What describes the interface: OpenAPI for programs, and a page for people."""

import json
import re

from attendance.database.models import AuditAction
from tests.webapp.api.programs import is_problem
from webapp.account.permissions import SCOPES
from webapp.account.second_factor import required
from webapp.account.tokens import SCOPE_WORDS
from webapp.api.interface import RESOURCES
from webapp.audit.words import ACTION_WORDS


def described(site):
    answer = site.visitor().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return answer.json


def test_every_address_is_described(site):
    spec = described(site)
    assert spec["openapi"] == "3.1.0"
    rules = {
        (re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule), method.lower())
        for rule in site.app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.endpoint != "interface.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    told = {(path, method) for path, held in spec["paths"].items() for method in held if method != "parameters"}
    assert told == rules
    assert len(told) > 30
    names = [
        held[method]["operationId"] for held in spec["paths"].values() for method in held if method != "parameters"
    ]
    assert len(names) == len(set(names))
    assert {tag["name"] for tag in spec["tags"]} == {resource.name for resource in RESOURCES}


def test_each_operation_says_what_it_needs_and_answers(site):
    for path, held in described(site)["paths"].items():
        for method, operation in held.items():
            if method == "parameters":
                continue
            where = f"{method} {path}"
            assert operation["summary"], where
            (security,) = operation["security"]
            assert set(security["token"]) <= SCOPES.keys(), where
            assert "application/problem+json" in json.dumps(operation["responses"]["default"]) or (
                operation["responses"]["default"] == {"$ref": "#/components/responses/DEFAULT_ERROR"}
            ), where
            assert any(status.startswith("2") for status in operation["responses"]), where
            sent = json.dumps(operation.get("parameters", []))
            assert ("Idempotency-Key" in sent) == (method != "get"), where


def test_nothing_refers_to_what_there_is_not(site):
    spec = described(site)
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(spec))):
        found = spec
        for name in reference.split("/"):
            found = found[name]
        assert found


def test_the_page_shows_all_of_it_without_a_script(site, lesson):
    spec = described(site)
    visitor = site.visitor(lesson.lecturer)
    html = visitor.get("/api").text
    for path in spec["paths"]:
        assert f"<code>{path}</code>" in html
    for name in spec["components"]["schemas"]:
        assert f'id="{name}-fields"' in html
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for link in re.findall(r'href="#([^"]+)"', html):
        assert link in ids, link
    assert "<script>" not in html
    assert site.visitor().get("/api").status_code == 200


def test_scopes_have_words(site):
    assert SCOPE_WORDS.keys() == SCOPES.keys()
    assert ACTION_WORDS.keys() == set(AuditAction)


def test_a_required_second_step_is_required_of_programs_too(site, site_db, program, monkeypatch):

    monkeypatch.setattr(required, "is_required_of", lambda _account: True)
    is_problem(program.get("/courses"), 403)
