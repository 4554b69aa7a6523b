"""HTML pages of one file: style, script and pictures are inside, and nothing is fetched."""

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from attendance.reports.names import printable

_HERE = Path(__file__).parent


def fill_page(
    template: Path,
    *,
    styles: Sequence[Path],
    script: Path | None = None,
    institution: str,
    made_at: datetime,
    **facts: Any,
) -> str:
    """Fill in a template that extends `page.html` of this folder.

    Whatever is filled in becomes text, never markup; besides, the browser runs and fetches nothing but what is named
    here. Templates have two filters of their own: `printable`, and `data_uri(media_type)` for the bytes of a picture.

    Args:
        template: found beside the code that uses it; what it includes lies in its folder or in this one.
        styles: CSS files, in order, after `page.css` of this folder, which names the colours.
        script: JavaScript, put at the end of the page.
        institution: shown at the top.
        made_at: the time shown.
        facts: what the template speaks of.

    Returns:
        The page. A name may hold halves of surrogate pairs: encode it with `errors="replace"`.

    Raises:
        jinja2.UndefinedError: the template speaks of something that is not among the facts.
    """
    pages = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(printable=printable, data_uri=_data_uri)
    style = "\n".join(path.read_text("utf-8") for path in (_HERE / "page.css", *styles))
    run = script.read_text("utf-8") if script else ""
    policy = f"default-src 'none'; img-src data:; style-src {_digest(style)}"
    if run:
        policy += f"; script-src {_digest(run)}"
    # These three are the project's own words; everything else is escaped.
    own = {name: Markup(text) for name, text in (("policy", policy), ("style", style), ("script", run))}  # noqa: S704
    return pages.get_template(template.name).render(**own, institution=institution, made_at=made_at, **facts)


def _digest(text: str) -> str:
    """A source expression of a content security policy (W3C CSP Level 3, 2.3.1)."""
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
