"""The form of a receiver."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext, lazy_gettext
from wtforms import BooleanField, Field, Form, SelectField, StringField
from wtforms.validators import StopValidation

from attendance.database.models import Department, EventKind, WebhookEndpoint
from attendance.tables.fields import WEBHOOK_NAME
from webapp.admin.forms import AdminForm, one_of_the_list, options, text_field
from webapp.outside import OutsideAddressError, check_address
from webapp.tools.languages import say_error
from webapp.tools.storage import database

EVENT_WORDS: Mapping[EventKind, Any] = {
    EventKind.SESSION_CLOSED: lazy_gettext("A register is complete: a session has ended"),
    EventKind.STATUS_CHANGED: lazy_gettext("Entries of a register were made or changed"),
    EventKind.NOT_RECORDED: lazy_gettext("Nothing at all was recorded in a session"),
    EventKind.AT_RISK: lazy_gettext("A student fell below the attendance that is asked for"),
    EventKind.CAMERA_AWAY: lazy_gettext("Cameras are away while a session is held, or is about to begin"),
    EventKind.PING: lazy_gettext("Test"),
}


def may_be_called(_form: Form, field: Field) -> None:
    """The text must be an address that the settings let us call (a validator)."""
    networks = current_app.config["ATTENDANCE"].web.private_networks
    field.data = (field.data or "").strip()
    if not field.data:
        raise StopValidation(gettext("Type an address."))
    try:
        check_address(field.data, networks)
    except OutsideAddressError as error:
        raise StopValidation(say_error(error)) from None


class EndpointForm(AdminForm):
    """A receiver. `offer_departments` must fill the list first."""

    name = text_field(lazy_gettext("Name"), WEBHOOK_NAME)
    url = StringField(lazy_gettext("Address"), validators=[may_be_called])
    department = SelectField(
        lazy_gettext("Department"),
        validate_choice=False,
        validators=[one_of_the_list(lazy_gettext("Choose a department of the list."))],
    )
    session_closed = BooleanField(EVENT_WORDS[EventKind.SESSION_CLOSED])
    attendance_changed = BooleanField(EVENT_WORDS[EventKind.STATUS_CHANGED])
    register_not_recorded = BooleanField(EVENT_WORDS[EventKind.NOT_RECORDED])
    student_at_risk = BooleanField(EVENT_WORDS[EventKind.AT_RISK])
    camera_away = BooleanField(EVENT_WORDS[EventKind.CAMERA_AWAY])

    def offer_departments(self) -> "EndpointForm":
        """Fill the list; returns the form."""
        rows = database().execute(sa.select(Department.id, Department.name).order_by(Department.name))
        named = [(str(department_id), name) for department_id, name in rows]
        self.department.choices = options([("", gettext("All departments")), *named])
        return self

    def event_fields(self) -> list[tuple[EventKind, Field]]:
        """The boxes, with what each stands for."""
        return [
            (EventKind.SESSION_CLOSED, self.session_closed),
            (EventKind.STATUS_CHANGED, self.attendance_changed),
            (EventKind.NOT_RECORDED, self.register_not_recorded),
            (EventKind.AT_RISK, self.student_at_risk),
            (EventKind.CAMERA_AWAY, self.camera_away),
        ]

    def validate(self, extra_validators: Any = None) -> bool:
        """Check all fields; at least one event must be chosen."""
        well = super().validate(extra_validators)
        if not any(field.data for _, field in self.event_fields()):
            first = self.event_fields()[0][1]
            first.errors = [gettext("Choose at least one.")]
            return False
        return bool(well)

    def values(self) -> dict[str, Any]:
        """What the receiver's columns become."""
        return {
            "name": self.name.data,
            "url": self.url.data,
            "department_id": int(self.department.data) if self.department.data else None,
            "events": [kind.value for kind, field in self.event_fields() if field.data],
        }


def form_of(endpoint: WebhookEndpoint | None) -> EndpointForm:
    """The form of a receiver as it is, or of a new one; what was sent counts before it."""
    if endpoint is None:
        return EndpointForm(data={"session_closed": True, "attendance_changed": True}).offer_departments()
    boxes = {kind.value.replace(".", "_"): kind in endpoint.events for kind in EventKind}
    department = str(endpoint.department_id or "")
    given = {"name": endpoint.name, "url": endpoint.url, "department": department, **boxes}
    return EndpointForm(data=given).offer_departments()
