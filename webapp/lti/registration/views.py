"""The pages that a platform opens at an address for registering, and where an administrator makes that address."""

from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from flask import (
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from attendance.database.audit.noting import note
from attendance.database.models import AuditAction, LtiDeployment, LtiPlatform, utc_now
from attendance.texts import english
from webapp.account.identity import current_account, public
from webapp.account.noting import noted
from webapp.admin.writing import begin_change
from webapp.lti.addresses import address_of
from webapp.lti.blueprint import of_administrators, of_launches
from webapp.lti.errors import RegistrationError
from webapp.lti.frames import allow_frames_of_anybody
from webapp.lti.registration import offers
from webapp.lti.registration.client import Registered, register
from webapp.lti.registration.configuration import PlatformConfiguration, fetch_configuration, host_of
from webapp.lti.services import keys
from webapp.tools import storage
from webapp.tools.languages import say_error
from webapp.tools.storage import database

_LONGEST_NAME = 80
_LOGO_FRESH_S = 86_400


@of_launches.get("/logo.svg")
@public
def logo() -> Response:
    """The tool's picture, at an address that stays, as platforms keep it."""
    picture = Path(str(current_app.static_folder), "icon.svg").read_bytes()
    response = Response(picture, content_type="image/svg+xml; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={_LOGO_FRESH_S}"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@of_launches.get("/register")
@public
def registration() -> ResponseReturnValue:
    """Ask whether to register at the platform that opened this; nothing happens before."""
    given = _given(request.args)
    try:
        _check(given)
    except RegistrationError as error:
        return _refused(error)
    host = host_of(given["openid_configuration"])
    return _framed(render_template("lti/register.html", given=given, host=host))


@of_launches.post("/register")
@public
def register_now() -> ResponseReturnValue:
    """Register this tool at the platform, and keep the platform until an administrator confirms it."""
    given = _given(request.form)
    try:
        _check(given)
        configuration = fetch_configuration(given["openid_configuration"], given["registration_token"])
        _check_new(configuration)
        maker = _use_offer(given["offer"])
        registered = register(configuration, given["registration_token"])
        name = _keep(configuration, registered, maker)
    except RegistrationError as error:
        return _refused(error)
    return _framed(render_template("lti/registered.html", name=name, deployment=registered.deployment))


@of_administrators.post("/registration")
def offer_registration() -> ResponseReturnValue:
    """Make an address at which a platform registers itself; the answer shows it, this once."""
    db = begin_change()
    token = offers.make_offer(db, current_account().id, now=utc_now())
    if not keys.keys(db):  # the platform fetches them as soon as it knows where
        keys.make_key(db, str(current_app.secret_key), now=utc_now())
    noted(AuditAction.LTI_REGISTRATION_OFFERED)
    db.commit()
    return render_template("lti/registration_address.html", address=address_of("lti.registration", offer=token))


@of_administrators.post("/registration/withdraw")
def withdraw_registration() -> ResponseReturnValue:
    """End all addresses at which a platform could register itself."""
    db = begin_change()
    if offers.withdraw_offers(db):
        noted(AuditAction.LTI_REGISTRATION_WITHDRAWN)
        db.commit()
        flash(gettext("No platform can register itself now."), "success")
    else:
        db.rollback()
        flash(gettext("There was no address any more."), "info")
    return redirect(url_for("lti_admin.platforms"))


def _given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: values.get(name, "") for name in ("offer", "openid_configuration", "registration_token")}


def _check(given: Mapping[str, str]) -> None:
    """That a platform opened an address which works."""
    if offers.maker_of(database(), given["offer"], now=utc_now()) is None:
        raise RegistrationError(_over())
    database().commit()  # the connection: the platform may take its time
    if not host_of(given["openid_configuration"]):
        raise RegistrationError(english("This address is for learning platforms: type it there as the tool's URL."))


def _use_offer(token: str) -> int:
    """Use the address up before the platform is told anything: of two at once, one goes on. Returns who made it."""
    db = storage.begin_change()
    maker = offers.use_offer(db, token, now=utc_now())
    if maker is None:
        raise RegistrationError(_over())
    maker_id = maker.id
    db.commit()
    return maker_id


def _check_new(configuration: PlatformConfiguration) -> None:
    """That nobody is registered by this issuer, or waits to be."""
    name = database().scalar(sa.select(LtiPlatform.name).where(LtiPlatform.issuer == configuration.issuer).limit(1))
    database().commit()
    if name is not None:
        raise RegistrationError(
            english(
                "%(issuer)s is registered here already, as %(name)s. Change or delete that one first, or add another "
                "client ID of it by hand.",
                issuer=configuration.issuer,
                name=name,
            )
        )


def _keep(configuration: PlatformConfiguration, registered: Registered, maker_id: int) -> str:
    """Keep a platform, switched off; returns its name here."""
    db = storage.begin_change()
    row = LtiPlatform(
        name=_name_for(db, configuration),
        issuer=configuration.issuer,
        client_id=registered.client_id,
        keys_url=configuration.keys_url,
        authorisation_url=configuration.authorisation_url,
        token_url=configuration.token_url,
        active=False,
        waiting=True,
    )
    if registered.deployment is not None:
        row.deployments = [LtiDeployment(external_id=registered.deployment)]
    db.add(row)
    try:
        db.flush()
        details = {"issuer": configuration.issuer}
        note(db, AuditAction.LTI_PLATFORM_REGISTERED, actor=maker_id, subject=row.name, details=details)
        name = row.name
        db.commit()
    except IntegrityError:
        raise RegistrationError(
            english("The same platform was registered here at this moment. Look at the list of platforms.")
        ) from None
    return name


def _name_for(db: Session, configuration: PlatformConfiguration) -> str:
    """A name that nobody has yet: the product's and the host's; an administrator changes it."""
    wanted = " ".join(filter(None, (configuration.product.capitalize(), host_of(configuration.issuer))))
    wanted = wanted[: _LONGEST_NAME - 5]
    taken = set(db.scalars(sa.select(LtiPlatform.name).where(LtiPlatform.name.startswith(wanted, autoescape=True))))
    return next(name for name in (wanted, *(f"{wanted} {number}" for number in range(2, 1_000))) if name not in taken)


def _over() -> str:
    return english(
        "This address does not work any more: each works once, and for an hour. Make a new one under "
        "Administration, Learning platforms."
    )


def _refused(error: RegistrationError) -> ResponseReturnValue:
    database().rollback()
    return _framed(render_template("lti/not_registered.html", sentence=say_error(error)), 400)


def _framed(page: str, status: int = 200) -> Response:
    response = make_response(page, status)
    allow_frames_of_anybody(response)
    return response
