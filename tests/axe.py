"""Asking axe what is wrong with a page, https://github.com/dequelabs/axe-core/blob/develop/doc/API.md."""

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
"""The rules of WCAG 2.1 A and AA."""


def violations(page: Page, *tags: str) -> list[str]:
    """What breaks axe's rules of these tags: a line each, with the elements that break it.

    What passes is most of axe's answer. Without `resultTypes` it finds a selector for each of those elements too.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    options = {"runOnly": {"type": "tag", "values": tags}, "resultTypes": ["violations"]}
    found: list[dict[str, Any]] = page.evaluate(
        "options => axe.run(options).then(({violations}) => violations)", options
    )
    return [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in found]
