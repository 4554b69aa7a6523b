"""What a request wants, and where a person may be sent after it."""

from typing import Any

from flask import current_app, request, url_for

LARGEST_ID = 2**31 - 1
"""Of an INTEGER column; databases refuse larger numbers with an error of their own."""


INTERFACE = "/api/"
"""With which every address of the interface for programs begins; a name without the bar is a page."""


def of_interface() -> bool:
    """Whether a program asks: cookies are no credentials, and errors are answered as RFC 9457 has them."""
    return request.path.startswith(INTERFACE)


def site_address() -> str:
    """The dashboard's address as people and programs reach it, without a slash at its end."""
    address: str = current_app.config["ATTENDANCE"].web.address
    return (address or request.url_root).rstrip("/")


def read_id(text: str) -> int | None:
    """The id of a row that an address or a form holds; None for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST_ID))):
        return None
    return int(text) if int(text) <= LARGEST_ID else None


def safe_path(target: str | None) -> str | None:
    r"""`target` when it is a path on this site, else None: a sign-in must not send people elsewhere.

    Browsers read a backslash as a slash and drop tabs and line ends, so "/\host" and "/<tab>/host" leave the site too.
    """
    if not target or not target.startswith("/") or target.startswith("//"):
        return None
    if "\\" in target or any(ord(c) < 32 for c in target):  # the C0 control characters
        return None
    return target


def asked_arguments(*left_out: str) -> dict[str, Any]:
    """What this page's address asks for behind its path, but a page and these; for `url_for`.

    Anybody can write `?endpoint=` or `?_scheme=` into an address: what `url_for` takes for its own is left out.
    """
    names = {"endpoint", "page", *left_out, *(request.view_args or {})}
    return {name: values for name, values in request.args.lists() if name not in names and not name.startswith("_")}


def this_address(*left_out: str, **given: Any) -> str:
    """This page's address without these arguments, and with those given in place of its own; it begins at page 1."""
    return url_for(request.endpoint or "", **(asked_arguments(*left_out) | given), **(request.view_args or {}))


def wants_page() -> bool:
    """Whether the answer is for a person's browser window, not for a script, an event stream or a program."""
    return (
        not of_interface()
        and request.headers.get("X-Requested-With") != "fetch"
        and request.accept_mimetypes.best != "text/event-stream"
    )
