"""Telling a platform of this tool, and reading what it made of that (OpenID Connect Dynamic Client Registration 1.0).

What the tool asks for is what it uses: names and e-mail addresses, the roster, a column of grades with scores, links of
courses, and choosing what a link opens.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attendance.texts import english
from webapp import outside
from webapp.lti.addresses import address_of, choosing_address, launch_address
from webapp.lti.claims import DEEP_LINKING, LAUNCH, LONGEST_ID
from webapp.lti.errors import RegistrationError
from webapp.lti.registration.configuration import PlatformConfiguration, bearer, host_of
from webapp.lti.services.calling import LINE_ITEM, MEMBERSHIPS, SCORE
from webapp.outside import OutsideError

TOOL = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CLIENT_NAME = "Attendance"
_DESCRIPTION = "Opens the register of a course, and shows students their own attendance."
_SCOPES = (MEMBERSHIPS, LINE_ITEM, SCORE)
_CLAIMS = ("iss", "sub", "name", "given_name", "family_name", "email")
_LAUNCH_PLACEMENTS = ("course_navigation", "CourseNavigation")
_CHOOSING_PLACEMENTS = ("link_selection", "ContentArea", "ContentItemSelectionRequest")
"""Where a link stands and where one is chosen, as Canvas calls them, and as others do; what a platform does not offer
is left out."""
_PRIVACY = "https://canvas.instructure.com/lti/privacy_level"
_LIMIT, _TIMEOUT_S = 200_000, 20.0


@dataclass(frozen=True)
class Registered:
    """What a platform calls this tool.

    Attributes:
        client_id: at most 255 characters.
        deployment: None where the platform makes one later.
    """

    client_id: str
    deployment: str | None


def registration_of_this_tool(configuration: PlatformConfiguration) -> dict[str, Any]:
    """What is told to a platform: a client registration with the tool's own part, section 3.5.3 of the standard."""
    offered = configuration.scopes
    scopes = [scope for scope in _SCOPES if offered is None or scope in offered]
    launch, icon = launch_address(), address_of("lti.logo")
    tool = {
        "domain": host_of(launch),
        "description": _DESCRIPTION,
        "target_link_uri": launch,
        "claims": list(_CLAIMS),
        "messages": [
            _message(configuration, LAUNCH, launch, icon, _LAUNCH_PLACEMENTS),
            _message(configuration, DEEP_LINKING, choosing_address(), icon, _CHOOSING_PLACEMENTS),
        ],
    }
    if configuration.product == "canvas":
        tool[_PRIVACY] = "public"  # else it tells no names, whatever the claims
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["client_credentials", "implicit"],
        "initiate_login_uri": address_of("lti.login"),
        "redirect_uris": [launch],
        "client_name": CLIENT_NAME,
        "jwks_uri": address_of("lti.published_keys"),
        "logo_uri": icon,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(scopes),
        TOOL: tool,
    }


def register(configuration: PlatformConfiguration, token: str) -> Registered:
    """Register this tool at a platform.

    Args:
        configuration: of the platform.
        token: its `registration_token`, "" for none.

    Raises:
        RegistrationError: it does not take the tool, or answers of another one.
    """
    sent = registration_of_this_tool(configuration)
    headers = {"Content-Type": "application/json", "Accept": "application/json", **bearer(token)}
    try:
        reply = outside.post(
            configuration.registration_url,
            body=json.dumps(sent).encode(),
            headers=headers,
            limit=_LIMIT,
            timeout=_TIMEOUT_S,
        )
    except OutsideError as error:
        raise RegistrationError(error.args[0]) from None
    if not 200 <= reply.status < 300:
        raise RegistrationError(
            english(
                "%(host)s does not register this tool: it answered with %(status)s.",
                host=host_of(configuration.registration_url),
                status=str(reply.status),
            )
        )
    try:
        answer = reply.json()
    except ValueError:
        answer = None
    return _registered(sent, answer if isinstance(answer, dict) else {})


def _message(
    configuration: PlatformConfiguration, kind: str, target: str, icon: str, wanted: tuple[str, ...]
) -> dict[str, Any]:
    offered = configuration.placements.get(kind, ())
    placements = [one for one in wanted if one in offered]
    message = {"type": kind, "target_link_uri": target, "label": CLIENT_NAME, "icon_uri": icon}
    return {**message, "placements": placements} if placements else message


def _registered(sent: Mapping[str, Any], answer: Mapping[str, Any]) -> Registered:
    """Read an answer, which repeats what was sent, perhaps with less in it, and says what the tool is called there."""
    client_id = answer.get("client_id")
    if not isinstance(client_id, str) or not 0 < len(client_id) <= LONGEST_ID or not client_id.isprintable():
        raise RegistrationError(english("The platform does not say what it calls this tool (client_id)."))
    for name in ("client_name", "initiate_login_uri", "jwks_uri", "redirect_uris"):
        if name in answer and answer[name] != sent[name]:
            raise RegistrationError(
                english("The platform answered with the registration of another tool (%(name)s).", name=name)
            )
    tool = answer.get(TOOL)
    deployment = tool.get("deployment_id") if isinstance(tool, dict) else None
    fits = isinstance(deployment, str) and 0 < len(deployment) <= LONGEST_ID and deployment.isprintable()
    return Registered(client_id, deployment if fits else None)
