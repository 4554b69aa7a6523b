"""The forms of the administrator's pages."""

from flask import current_app
from flask_babel import gettext, lazy_gettext
from wtforms import BooleanField, Field, Form, RadioField, StringField, TextAreaField
from wtforms.validators import StopValidation

from attendance.database.models import LtiMatching
from attendance.tables.fields import TextRule
from attendance.tables.fields import clean as clean_text
from webapp.admin.forms import AdminForm, options, skip_if_empty, text_field
from webapp.lti.frames import origin_of
from webapp.outside import OutsideAddressError, check_address
from webapp.tools.languages import say_error

PLATFORM_NAME = TextRule(80, identifier=True)
_IDENTITY = TextRule(255, identifier=True)
_LONGEST_URL = 500
_MOST_DEPLOYMENTS = 50


class _Address:
    """The text must be an address that the dashboard may call (a validator)."""

    field_flags = {"maxlength": _LONGEST_URL}  # noqa: RUF012 - WTForms reads it of the class

    def __call__(self, _form: Form, field: Field) -> None:
        """Check the field."""
        text = field.data or ""
        if not text or len(text) > _LONGEST_URL:
            raise StopValidation(gettext("Type the address, as the learning platform shows it."))
        try:
            check_address(text, current_app.config["ATTENDANCE"].web.private_networks)
        except OutsideAddressError as error:
            raise StopValidation(say_error(error)) from None


def _stripped(text: str | None) -> str:
    return (text or "").strip()


def _lines(text: str | None) -> list[str]:
    return list(dict.fromkeys(line for line in map(clean_text, (text or "").splitlines()) if line))


class PlatformForm(AdminForm):
    """A registration, as the learning platform shows it."""

    name = text_field(lazy_gettext("Name"), PLATFORM_NAME)
    issuer = StringField(lazy_gettext("Platform ID (issuer)"), filters=[_stripped], validators=[])
    client_id = text_field(lazy_gettext("Client ID"), _IDENTITY)
    deployments = TextAreaField(lazy_gettext("Deployment IDs"))
    keys_url = StringField(lazy_gettext("Public keyset URL"), filters=[_stripped], validators=[_Address()])
    token_url = StringField(lazy_gettext("Access token URL"), filters=[_stripped], validators=[_Address()])
    authorisation_url = StringField(
        lazy_gettext("Authentication request URL"), filters=[_stripped], validators=[_Address()]
    )
    frame_origins = StringField(lazy_gettext("Further addresses that show links in frames"), filters=[_stripped])
    matching = RadioField(
        lazy_gettext("How people from there are recognised here"),
        choices=options(
            [
                (LtiMatching.CONNECT.value, lazy_gettext("People sign in here once and connect the two")),
                (LtiMatching.EMAIL.value, lazy_gettext("Also by the e-mail address that the platform says")),
            ]
        ),
        default=LtiMatching.CONNECT.value,
    )
    active = BooleanField(lazy_gettext("Links there open registers here"), default=True)

    def validate_issuer(self, field: Field) -> None:
        """An address by its form, that nobody calls: it is compared as it stands."""
        if not field.data or len(field.data) > 255 or origin_of(field.data) is None:
            raise StopValidation(gettext("Type the platform ID as it is shown there, like https://moodle.example.edu."))

    def validate_deployments(self, field: Field) -> None:
        """One a line."""
        found = _lines(field.data)
        if not 0 < len(found) <= _MOST_DEPLOYMENTS or any(_IDENTITY.problem(one) for one in found):
            raise StopValidation(gettext("Type the deployment ID that is shown there; several stand on a line each."))

    def validate_frame_origins(self, field: Field) -> None:
        """Origins, with spaces between them."""
        text = field.data or ""
        if len(text) > _LONGEST_URL or any(origin_of(one) is None for one in text.split()):
            raise StopValidation(
                gettext("Type addresses like https://school.instructure.com, with spaces between them.")
            )

    def deployment_ids(self) -> list[str]:
        """What was typed, each once."""
        return _lines(self.deployments.data)


class CourseLinkForm(AdminForm):
    """Which course here a course of a platform is."""

    course = StringField(lazy_gettext("Course"), validators=[skip_if_empty])
    gives_roles = BooleanField(lazy_gettext("Who teaches there is lecturer or assistant of the course here"))
    sends_rates = BooleanField(lazy_gettext("Send the attendance rate as a column of grades"))
