"""`python -m docs.screens`: pictures of the dashboard with a term of made-up data, into docs/pictures."""

import io
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from docs.screens.showing import dashboard_of_a_term
from docs.screens.systems import Systems
from docs.screens.term import PASSWORD, Term
from tests.mariadb import find_program
from tests.webapp.screens import CHROMIUM_OPTIONS, NARROW, WIDE, wait_until_drawn

PICTURES = Path(__file__).resolve().parents[1] / "pictures"
_COLOURS = 128


@dataclass(frozen=True, slots=True)
class Picture:
    """A page as a picture.

    Attributes:
        name: of the file.
        path: of the page.
        who: the address of who is signed in; "" for the student at the own page, None for nobody.
        height: pixels of the page that are shown, from its top.
        narrow: on a phone.
        dark: in dark colours.
    """

    name: str
    path: str
    who: str | None
    height: int
    narrow: bool = False
    dark: bool = False


def pictures(term: Term, systems: Systems) -> Iterator[Picture]:
    """What the documents show."""
    course, department = f"/courses/{term.large_course}", f"/departments/{term.department}"
    yield Picture("home", "/", term.lecturer, 960)
    yield Picture("register", f"/sessions/{term.running}", term.lecturer, 987)
    yield Picture("register-phone", f"/sessions/{term.closed}", term.lecturer, 1640, narrow=True, dark=True)
    yield Picture("matrix", f"{course}/matrix", term.lecturer, 900)
    yield Picture("students-below", f"{course}/students?below=75&sort=rate", term.lecturer, 900)
    yield Picture("course-report", f"{course}/report", term.lecturer, 860)
    yield Picture("student", f"/students/{term.student}", term.lecturer, 1200)
    yield Picture("at-risk", f"{department}/at-risk", term.head, 800)
    yield Picture("own-page", "/me", "", 1200, narrow=True)
    yield Picture("mail", "/admin/mail/kinds/low_attendance", term.admin, 960)
    yield Picture("sign-in", "/signin", None, 860)
    yield Picture("tokens", "/profile/tokens", term.admin, 960)
    yield Picture("deliveries", f"/admin/webhooks/{systems.receiver}/deliveries", term.admin, 760)
    yield Picture("calendar", f"/admin/calendars/{systems.calendar}", term.admin, 1240)
    yield Picture("platform-course", f"/admin/lti/courses/{systems.linked_course}", term.admin, 740)


@click.command()
@click.option("--only", multiple=True, help="The name of a picture; all unless given.")
def main(only: tuple[str, ...]) -> None:
    """Make the pictures of the dashboard that the documents show."""
    chromium = find_program(["chromium", "chromium-browser", "google-chrome"])
    if chromium is None:
        raise click.ClickException("Chromium is missing: `sudo apt-get install chromium`.")
    with (
        tempfile.TemporaryDirectory() as folder,
        dashboard_of_a_term(Path(folder) / "data") as (address, term, systems, link),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_OPTIONS)
        for picture in pictures(term, systems):
            if only and picture.name not in only:
                continue
            page = _open(browser, address, picture)
            if picture.who:
                _sign_in(page, picture.who)
            elif picture.who is not None:
                _use_link(page, link, term.index_number)
            file = PICTURES / f"{picture.name}.png"
            file.write_bytes(_small(_taken(page, picture)))
            page.context.close()
            click.echo(f"{file.name}: {file.stat().st_size // 1000} kB")
        browser.close()


def _open(browser: Browser, address: str, picture: Picture) -> Page:
    context = browser.new_context(
        base_url=address,
        viewport=NARROW if picture.narrow else WIDE,
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    return context.new_page()


def _sign_in(page: Page, email: str) -> None:
    page.goto("/signin")
    page.fill("#email", email)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url("**/")


def _use_link(page: Page, link: str, index_number: str) -> None:
    page.goto(link)
    page.fill("input[name=index_number]", index_number)
    page.click("main button[type=submit]")
    page.wait_for_url("**/me")


def _taken(page: Page, picture: Picture) -> bytes:
    page.goto(picture.path)
    wait_until_drawn(page)
    width = (page.viewport_size or WIDE)["width"]
    height = min(picture.height, int(page.evaluate("document.documentElement.scrollHeight")))
    return page.screenshot(full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height})


def _small(png: bytes) -> bytes:
    """The same picture with few colours, a third of the bytes."""
    small = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(
        small, "PNG", optimize=True
    )
    return small.getvalue()


if __name__ == "__main__":
    main()
