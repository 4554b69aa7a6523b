"""How large the body of a request may be."""

from collections.abc import Callable
from typing import TypeVar

from flask import current_app, request

_UPLOAD_BYTES = "upload_bytes"

V = TypeVar("V", bound=Callable[..., object])


def upload_limit(max_bytes: int) -> Callable[[V], V]:
    """Let a view's request be larger than a plain form, up to `max_bytes`; beyond it the answer is 413."""

    def mark(view: V) -> V:
        setattr(view, _UPLOAD_BYTES, max_bytes)
        return view

    return mark


def apply_upload_limit() -> None:
    """Before each request: the limit of its view, where that has one of its own."""
    view = current_app.view_functions.get(request.endpoint or "")
    limit: int | None = getattr(view, _UPLOAD_BYTES, None)
    if limit is not None:
        request.max_content_length = limit
