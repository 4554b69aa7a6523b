"""The browser's options, the sizes of screens that pages are tried on, and waiting until a page is drawn."""

from playwright.sync_api import Page, ViewportSize

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE: ViewportSize = {"width": 1280, "height": 900}
MEDIUM: ViewportSize = {"width": 820, "height": 1180}
NARROW: ViewportSize = {"width": 390, "height": 844}


def wait_until_drawn(page: Page) -> None:
    """Wait until a page's fonts are loaded and its transitions are over.

    The page itself waits, by promises: `wait_for_function` evaluates text again from within the page, which the
    dashboard's content security policy forbids, so that it fails whenever its first try is too early.
    """
    page.evaluate("document.fonts.ready.then(() => null)")
    page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null))).then(() => null)")
