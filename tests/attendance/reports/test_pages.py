"""Pages of one file, filled in from what anybody may have typed."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError

from attendance.reports.pages import fill_page

MADE_AT = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
HOSTILE = "\"'><script>alert(1)</script>{{ policy }}{% endblock %}"
TEMPLATE = """{% extends "page.html" %}
{% block title %}Trial{% endblock %}
{% block heading %}A trial{% endblock %}
{% block main %}<main><p title="{{ name }}">{{ name }}</p>{{ odd | printable }}
<img alt="" src="{{ picture | data_uri("image/png") }}"></main>{% endblock %}
"""


@pytest.fixture
def template(tmp_path: Path) -> Path:
    (tmp_path / "trial.html").write_text(TEMPLATE)
    (tmp_path / "trial.css").write_text("p > b { content: '<'; }\n")
    (tmp_path / "trial.js").write_text('document.title += " & more";\n')
    return tmp_path / "trial.html"


def fill(template: Path, *, script: bool = False, **changed: Any) -> str:
    facts: dict[str, Any] = {
        "name": HOSTILE,
        "odd": "a\x1bb",
        "picture": b"\x89PNG",
        "institution": HOSTILE,
        "made_at": MADE_AT,
    }
    script_file = template.with_suffix(".js") if script else None
    return fill_page(template, styles=[template.with_suffix(".css")], script=script_file, **(facts | changed))


def policy_of(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found
    return found[1]


def test_whatever_is_filled_in_is_text(template: Path) -> None:
    page = fill(template)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(1)") == 3
    assert page.count("{{ policy }}") == 3
    assert "'a\\x1bb'" in page.replace("&#39;", "'")
    assert 'src="data:image/png;base64,iVBORw=="' in page
    assert '<time datetime="2026-11-23T09:30:00+00:00">2026-11-23 09:30 UTC</time>' in page


def test_only_the_own_style_and_script_are_allowed(template: Path) -> None:
    page = fill(template, script=True)
    for kind in ("style", "script"):
        (content,) = re.findall(rf"(?s)<{kind}>(.*?)</{kind}>", page)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy_of(page)
    assert policy_of(page).startswith("default-src 'none'; img-src data:;")


def test_a_page_without_a_script_allows_none(template: Path) -> None:
    assert "script-src" not in policy_of(fill(template))


def test_several_styles_are_one(template: Path, tmp_path: Path) -> None:
    (tmp_path / "more.css").write_text("i { color: red; }")
    page = fill_page(
        template,
        styles=[template.with_suffix(".css"), tmp_path / "more.css"],
        institution="I",
        made_at=MADE_AT,
        name="n",
        odd="o",
        picture=b"",
    )
    (content,) = re.findall(r"(?s)<style>(.*?)</style>", page)
    assert "p > b" in content
    assert "color: red" in content
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy_of(page)


def test_a_template_that_speaks_of_what_is_not_there_is_an_error(template: Path) -> None:
    template.write_text(TEMPLATE.replace("{{ name }}", "{{ nmae }}"))
    with pytest.raises(UndefinedError, match="nmae"):
        fill(template)
