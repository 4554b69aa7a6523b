"""Mail: can the mail server be used as the settings say, and is what waits sent?"""

from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa

from attendance.database.engine import DatabaseError
from attendance.database.models import QueuedMail, QueueState
from attendance.database.opening import open_session
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning
from webapp.mail.smtp import MailServer, MailServerError

_LATE = timedelta(minutes=15)


def examine_mail(settings: Settings) -> list[Finding]:
    """Open a connection to the mail server, as the worker does, and look at the queue; off is well too."""
    mail = settings.mail
    if not mail.on:
        return [ok("mail", "off: no mail server is set")]
    found = []
    # The password is given to the worker of mail alone.
    if mail.user and mail.password is None:
        found.append(
            warning(
                "mail",
                f"ATTENDANCE_MAIL_PASSWORD, the password of {mail.user}, is not set here: signing in was not tried",
                "Run `attendance doctor` with the environment of the worker of mail (/etc/attendance/post.env).",
            )
        )
        mail = mail.model_copy(update={"user": ""})
    server = MailServer(mail, name=urlsplit(settings.web.address).hostname or "localhost")
    try:
        server.open()
    except MailServerError as error:
        return [
            *found,
            problem("mail", str(error), "Correct the ATTENDANCE_MAIL_ settings, or ask who runs the server."),
        ]
    finally:
        server.close()
    found.append(ok("mail", f"{mail.host}:{mail.port} can be used ({mail.security.value})"))
    return found + _queue(settings)


def _queue(settings: Settings) -> list[Finding]:
    due = datetime.now(UTC) - _LATE
    late = sa.and_(QueuedMail.state == QueueState.WAITING, QueuedMail.not_before < due)
    try:
        with open_session(settings.database_url) as db:
            waiting = db.scalar(sa.select(sa.func.count()).select_from(QueuedMail).where(late)) or 0
            failed = sa.select(sa.func.count()).select_from(QueuedMail).where(QueuedMail.state == QueueState.FAILED)
            given_up = db.scalar(failed) or 0
    except (DatabaseError, sa.exc.SQLAlchemyError):
        return []  # the examination of the database says so
    found = []
    if waiting:
        text = f"{_mails(waiting)} not sent for {_LATE // timedelta(minutes=1)} minutes"
        found.append(warning("mail", text, "Start `attendance web work` (attendance-post), or read what it says."))
    if given_up:
        remedy = "The dashboard, Administration > Mail, says why, and lets them be tried again."
        found.append(warning("mail", f"{_mails(given_up)} failed", remedy))
    return found


def _mails(number: int) -> str:
    return "1 mail" if number == 1 else f"{number:,} mails"
