"""Signing out at the provider, too, of whom has signed out here."""

import structlog
from flask import make_response, render_template
from flask.typing import ResponseReturnValue

from attendance.database.access.sign_ins import through_provider
from webapp.account.identity import this_sign_in
from webapp.account.oidc.room import LEFT, oidc_settings, provider, provider_name, settings_here, whole_address
from webapp.account.oidc.trouble import ProviderError
from webapp.tools.storage import database

log = structlog.get_logger()


def address_there() -> str | None:
    """Where this browser's person signs out at the provider, found before the sign-in here ends.

    None: the sign-in was not made there, the provider offers it nowhere or does not answer, or nobody wants it.
    """
    settings, found = oidc_settings(), this_sign_in()
    if found is None or found.identity_id is None or not (settings.on and settings.sign_out_there):
        return None
    through, identity = through_provider(database(), found), found.identity
    database().commit()  # the connection: the provider may take its time
    if through is None or identity is None or identity.issuer != settings.issuer:
        return None
    try:
        return provider().sign_out_address(whole_address(settings_here(), LEFT), through.id_token)
    except ProviderError as error:
        log.warning("sign_out_at_provider_failed", reason=error.reason.name.lower(), detail=error.detail)
        return None


def leaving_page(address: str) -> ResponseReturnValue:
    """What somebody who has signed out here reads for a moment, on the way to where they sign out there.

    A page of its own: no answer to a form may lead to another site (`form-action` of the content security policy).
    """
    response = make_response(render_template("account/leaving.html", address=address, provider=provider_name()))
    response.headers["Refresh"] = f"0; url={address}"
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
