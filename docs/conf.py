"""How the documents become a site (Sphinx, MyST and Furo). Nothing is fetched when it is built or read."""

import tomllib
from pathlib import Path

_PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]

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
html_theme_options = {"top_of_page_buttons": []}
