"""A receiver of webhooks was switched off because it failed for long. Data: `account`, and the id of the `endpoint`."""

from flask import url_for
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session

from attendance.database.models import QueuedMail, WebhookEndpoint
from attendance.texts import english
from webapp.mail.kinds.kind import MailKind
from webapp.mail.kinds.recipients import account_of
from webapp.mail.letters import Button, Letter, NoLongerWantedError, Paragraph, write_letter
from webapp.tools.languages import say


def _render(db: Session, mail: QueuedMail) -> Letter:
    account_of(db, mail)
    endpoint = db.get(WebhookEndpoint, mail.data["endpoint"])
    if endpoint is None or endpoint.on or endpoint.off_reason is None:
        raise NoLongerWantedError(english("The receiver is on again, or was deleted."))
    return _letter(endpoint.id, endpoint.name, endpoint.off_reason)


def _letter(endpoint_id: int, name: str, reason: str) -> Letter:
    return write_letter(
        gettext("%(name)s is told nothing any more", name=name),
        Paragraph(
            gettext("The receiver of webhooks %(name)s was switched off: %(reason)s", name=name, reason=say(reason))
        ),
        Paragraph(
            gettext(
                "What happens meanwhile is not sent later. When the receiver works again, switch it on; what was not "
                "delivered before can be sent again, one by one."
            )
        ),
        Button(gettext("Open the receiver"), url_for("webhooks.endpoint", webhook_id=endpoint_id, _external=True)),
        reason=gettext("You get this mail because you are an administrator."),
    )


def _example() -> Letter:
    said = english("The receiver answered %(status)s.", status="503")
    reason = english("It took nothing for %(days)s days. The last reason: %(reason)s", days=5, reason=said)
    return _letter(1, "Student information system", reason)


KIND = MailKind(
    name="webhook_off",
    title=lazy_gettext("A receiver of webhooks is switched off"),
    occasion=lazy_gettext("To administrators, when a receiver took nothing for five days or said that it is gone."),
    render=_render,
    example=_example,
)
