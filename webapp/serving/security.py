"""Headers that keep a page to itself, upload limits, and who is believed about the client's address."""

from flask import Flask, Request, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from webapp.tools.requests import INTERFACE
from webapp.tools.uploads import apply_upload_limit

_DEFAULT_UPLOAD_BYTES = 1_000_000  # plain forms
_YEAR_S = 31_536_000

FRAMED_BY_NOBODY = "frame-ancestors 'none'"
FORMS_STAY = "form-action 'self'"

# Everything comes from here and nothing is inline, so injected markup can neither run nor phone home.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        FORMS_STAY,
        "base-uri 'none'",
        FRAMED_BY_NOBODY,
    ]
)

CAMERA_ALLOWED = "camera=(self), microphone=(), geolocation=()"
"""The Permissions-Policy of a page that may ask the browser for the camera."""


class _NoSession(SecureCookieSession):
    """What a program has: whatever cookie it sends, it holds nothing, and none is given or taken away."""


class _Sessions(SecureCookieSessionInterface):
    """Sessions in cookies, for pages only."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """What the cookie holds; nothing for the interface for programs."""
        return _NoSession() if request.path.startswith(INTERFACE) else super().open_session(app, request)

    def save_session(self, app: Flask, session: SecureCookieSession, response: Response) -> None:  # type: ignore[override]
        """Set the cookie, where something has changed."""
        if not isinstance(session, _NoSession):
            super().save_session(app, session, response)  # type: ignore[arg-type]


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
    app.session_interface = _Sessions()
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
