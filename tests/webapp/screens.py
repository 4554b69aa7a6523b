"""The browser's options and the sizes of screens that pages are tried on."""

from playwright.sync_api import ViewportSize

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
