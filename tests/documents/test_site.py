"""The documents' site is whole, and neither fetches anything nor has links of the README's that lead nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.from_code.__main__ import ROOT

_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source|audio|video|embed)\b[^>]*\bsrc=["']?(?:https?:)?//"""
    r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//""",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = [
        "--quiet",
        "--nitpicky",
        "--fail-on-warning",
        "--builder",
        "html",
        "--doctree-dir",
        str(folder / "trees"),
    ]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(folder / "html")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_reading_fetches_nothing(site: Path) -> None:
    read = [path for kind in ("*.html", "*.css", "*.svg") for path in site.rglob(kind)]
    assert len(read) > 30
    for path in read:
        found = _FETCHED.search(path.read_text("utf-8"))
        assert found is None, f"{path.relative_to(site)}: {found and found[0]}"


def test_documents_of_the_root_are_pages_with_links_of_the_site(site: Path) -> None:
    page = (site / "contributing.html").read_text("utf-8")
    assert 'href="architecture.html"' in page
    assert 'href="changelog.html"' in page
    assert ".md" not in re.sub(r">[^<]*<", "><", page)


@pytest.mark.parametrize("html", ['<script src="https://x/y.js">', '<link rel=x href="//x/y">', "url(http://x/y.woff)"])
def test_what_would_be_fetched_is_found(html: str) -> None:
    assert _FETCHED.search(html)


@pytest.mark.parametrize("document", sorted(path.name for path in ROOT.glob("*.md")))
def test_links_of_documents_in_the_root_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", (ROOT / document).read_text("utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        assert (ROOT / path).exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
