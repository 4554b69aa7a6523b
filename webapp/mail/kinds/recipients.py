"""Whether a mail that waited still belongs to whom it is for: meanwhile an address may have become somebody else's."""

from sqlalchemy.orm import Session

from attendance.database.models import Account, QueuedMail, Student
from attendance.texts import english
from webapp.mail.letters import NoLongerWantedError


def account_of(db: Session, mail: QueuedMail) -> Account:
    """The account that a mail's data name as `account`.

    Raises:
        NoLongerWantedError: it is gone, may not sign in, or has another address now.
    """
    account = db.get(Account, mail.data["account"])
    if account is None or not account.active or account.email != mail.recipient:
        raise NoLongerWantedError(english("Whoever had this address may not sign in any more."))
    return account


def student_of(db: Session, mail: QueuedMail) -> Student:
    """The student whom a mail's data name as `student`.

    Raises:
        NoLongerWantedError: the student is gone, or has another address now.
    """
    student = db.get(Student, mail.data["student"])
    if student is None or student.email != mail.recipient:
        raise NoLongerWantedError(english("This is not the student's address any more."))
    return student
