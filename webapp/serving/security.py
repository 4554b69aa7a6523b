"""Headers that keep a page to itself, upload limits, and who is believed about the client's address."""

from flask import Flask, current_app, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from webapp.tools.uploads import apply_upload_limit

_DEFAULT_UPLOAD_BYTES = 1_000_000  # plain forms
_YEAR_S = 31_536_000

FRAMED_BY_NOBODY = "frame-ancestors 'none'"

# Everything comes from here and nothing is inline, so injected markup can neither run nor phone home.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        FRAMED_BY_NOBODY,
    ]
)

CAMERA_ALLOWED = "camera=(self), microphone=(), geolocation=()"
"""The Permissions-Policy of a page that may ask the browser for the camera."""


def init_security(app: Flask, *, trusted_proxies: int, secure_cookies: bool) -> None:
    """Set cookie flags and headers, and believe `trusted_proxies` reverse proxies about address, host and scheme."""
    app.config.update(
        SESSION_COOKIE_NAME="attendance_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=secure_cookies,
        MAX_CONTENT_LENGTH=_DEFAULT_UPLOAD_BYTES,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the sign-in: a register is left open through a lecture
        WTF_CSRF_SSL_STRICT=True,
    )
    if trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=trusted_proxies, x_proto=trusted_proxies, x_host=trusted_proxies
        )
    app.before_request(apply_upload_limit)
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    if FRAMED_BY_NOBODY in headers["Content-Security-Policy"]:
        headers.setdefault("X-Frame-Options", "DENY")  # it cannot name several who may
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    if current_app.config["SESSION_COOKIE_SECURE"]:
        headers.setdefault("Strict-Transport-Security", f"max-age={_YEAR_S}")
    if request.endpoint != "static" and "Cache-Control" not in headers:
        # The next person at a lecture room's computer must not find a register with the Back button.
        headers["Cache-Control"] = "no-store"
    return response
