"""A letter as a message that mail servers pass on."""

from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8

from email_validator import EmailNotValidError, validate_email

from attendance.database.models import QueuedMail, utc_now
from attendance.settings.mail import MailSettings
from attendance.texts import english
from webapp.mail.letters import Letter
from webapp.mail.smtp import Envelope, MailRefusedError


def envelope_of(
    mail: QueuedMail, letter: Letter, settings: MailSettings, *, institution: str, host: str, language: str
) -> Envelope:
    """Put a letter into an envelope.

    Each attempt at a mail bears the same Message-ID, so that mailboxes that know it already can drop a copy.

    Args:
        mail: whose recipient gets it.
        letter: what it says.
        settings: whom it comes from.
        institution: name of the sender.
        host: the dashboard's, for the Message-ID.
        language: of the letter, e.g. "fr".

    Raises:
        MailRefusedError: an address cannot stand in a mail.
    """
    recipient = _plain(mail.recipient)
    message = EmailMessage()
    try:
        message["From"] = Address(display_name=" ".join(institution.split()), addr_spec=settings.sender)
        message["To"] = recipient  # not by `Address`, which refuses letters beyond ASCII
        if settings.reply_to:
            message["Reply-To"] = Address(addr_spec=settings.reply_to)
        message["Subject"] = letter.subject
    except (ValueError, MessageError) as error:
        raise MailRefusedError(english("An address cannot stand in a mail: %(why)s", why=str(error))) from None
    if [address.addr_spec for address in message["To"].addresses] != [recipient]:
        raise MailRefusedError(english("The address is not the address of one person."))
    message["Date"] = utc_now()
    message["Message-ID"] = f"<{mail.id}.{mail.queued_at:%Y%m%d%H%M%S%f}@{host}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answer from machines, such as "out of office"
    # Plain ASCII on the way, so that no server in between has to change a byte.
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    message["Content-Language"] = language  # now: setting the content takes such headers away
    beyond_ascii = not recipient.isascii()
    policy = SMTPUTF8 if beyond_ascii else SMTPUTF8.clone(utf8=False)
    return Envelope(settings.sender, recipient, message.as_bytes(policy=policy), beyond_ascii)


def _plain(address: str) -> str:
    """The address in ASCII where there is such a form: a domain has one, what stands before the @ has none."""
    try:
        checked = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return address  # a local name, like root@localhost
    return checked.ascii_email or checked.normalized
