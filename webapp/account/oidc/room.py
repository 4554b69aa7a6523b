"""The provider of this application, and what pages say of it."""

from flask import Flask, current_app

from attendance.settings import Settings
from attendance.settings.oidc import OidcSettings
from webapp.account.oidc.provider import Provider
from webapp.outside import Caller

PREFIX = "/signin/provider"
CALLBACK = f"{PREFIX}/callback"
"""Where the provider sends people back to; it must know this address."""
LEFT = f"{PREFIX}/left"
"""The same after it has signed somebody out."""
BACK_CHANNEL = f"{PREFIX}/back-channel-logout"
"""Where it tells the dashboard, without a browser, that somebody signed out."""
_EXTENSION = "attendance_provider"


def init_provider(app: Flask, settings: Settings) -> None:
    """Give the application its provider; a quarter of its threads may wait for it."""
    at_once = max(1, settings.web.threads // 4)
    caller = Caller(settings.web.private_networks)
    app.extensions[_EXTENSION] = Provider(settings.oidc, whole_address(settings, CALLBACK), caller, at_once=at_once)


def provider() -> Provider:
    """The provider, where there is one."""
    found: Provider = current_app.extensions[_EXTENSION]
    return found


def settings_here() -> Settings:
    """All settings of this application."""
    settings: Settings = current_app.config["ATTENDANCE"]
    return settings


def oidc_settings() -> OidcSettings:
    """The settings of the sign-in at the provider."""
    return settings_here().oidc


def students_too() -> bool:
    """Whether students open their own page through the provider."""
    settings = settings_here()
    return settings.oidc.on and settings.oidc.students and settings.students.own_page


def provider_name() -> str:
    """What people call it."""
    return oidc_settings().name or str(current_app.config["INSTITUTION_NAME"])


def takes_password(email: str) -> bool:
    """Whether whoever has this address may sign in with a password."""
    return oidc_settings().takes_password(email)


def whole_address(settings: Settings, path: str) -> str:
    """Of one of these, as the provider must know it."""
    return settings.web.address.rstrip("/") + path
