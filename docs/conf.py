"""How the documents become a site (Sphinx, MyST and Furo). Nothing is fetched when it is built or read."""

import tomllib
from pathlib import Path

from sphinx.application import Sphinx

_ROOT = Path(__file__).parents[1]
_PROJECT = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Documents that belong beside the code: people and tools look for them there. The site has them as pages of its own.
_FROM_ROOT = {"contributing": "CONTRIBUTING.md", "changelog": "CHANGELOG.md", "third-party": "THIRD_PARTY.md"}

project = "Class attendance"
version = release = _PROJECT["version"]
project_copyright = ""

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
# A link that leads nowhere ends the build: `make docs` makes errors of warnings.
nitpicky = True
# Headings are anchors as GitHub makes them, so that one link works there and here.
myst_heading_anchors = 4
myst_links_external_new_tab = False

html_theme = "furo"
html_title = "Class attendance"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_show_sourcelink = False
html_copy_source = False
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}


def _take_from_root(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put a document of the root in the place of its page, with the links that lead to the same pages from here."""
    if page not in _FROM_ROOT:
        return
    text = (_ROOT / _FROM_ROOT[page]).read_text("utf-8").replace("](docs/", "](").replace("](README.md", "](index.md")
    for name, document in _FROM_ROOT.items():
        text = text.replace(f"]({document}", f"]({name}.md")
    source[0] = text


def setup(app: Sphinx) -> None:
    """What Sphinx calls first."""
    app.connect("source-read", _take_from_root)
