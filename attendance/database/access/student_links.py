"""Links with which a student opens the own page, once.

A link holds a token of 256 random bits, of which the database keeps a hash. It is made when a mail to the address on
record is sent, or when an administrator hands one over. Using one ends all of the student's; so does a change of the
address. Each ends by itself, too.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.sign_ins import end_sign_ins
from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import QueuedMail, QueueState, SignIn, Student, StudentLink
from attendance.tables.fields import EMAIL, INDEX_NUMBER

PATH = "/me/link"
"""Of the page behind a link. The token is a parameter: neither the dashboard nor its nginx logs those."""
_MOST = 10
"""Links of one student at a time; the oldest end first."""


def student_called(db: Session, typed: str) -> Student | None:
    """The student with this index number or, if there is none, with this e-mail address; None if there is none."""
    by_number = db.scalar(sa.select(Student).where(Student.index_number == INDEX_NUMBER.clean(typed)))
    return by_number or db.scalar(sa.select(Student).where(Student.email == EMAIL.clean(typed)))


def make_student_link(db: Session, student_id: int, *, now: datetime, lifetime: timedelta) -> str:
    """Make a link, in the caller's transaction; earlier ones can still be used.

    Args:
        db: begun with `begin_writing`.
        student_id: of a row that is there.
        now: aware.
        lifetime: how long it can be used.

    Returns:
        The token, which is kept nowhere.
    """
    token = new_token("me")
    db.add(StudentLink(student_id=student_id, token_hash=hash_token(token), created_at=now, expires_at=now + lifetime))
    db.flush()
    mine = sa.select(StudentLink.id).where(StudentLink.student_id == student_id)
    old = db.scalars(mine.order_by(StudentLink.id.desc()).offset(_MOST).limit(1_000)).all()
    db.execute(sa.delete(StudentLink).where(StudentLink.id.in_(old)))
    return token


def address_of_student_link(site: str, token: str) -> str:
    """The link as its owner gets it.

    Args:
        site: the dashboard's address, e.g. "https://attendance.example.edu".
        token: as `make_student_link` gave it.
    """
    return f"{site.rstrip('/')}{PATH}?link={token}"


def student_of_link(db: Session, token: str, *, now: datetime) -> Student | None:
    """Whose link it is; None for one that is unknown, used or expired."""
    return db.scalar(
        sa.select(Student)
        .join(StudentLink, StudentLink.student_id == Student.id)
        .where(StudentLink.token_hash == hash_token(token), StudentLink.expires_at > now)
    )


def is_newer(db: Session, token: str, moment: datetime) -> bool:
    """Whether a link was made at that moment or later; False for one that is unknown or used."""
    made = db.scalar(sa.select(StudentLink.created_at).where(StudentLink.token_hash == hash_token(token)))
    return made is not None and made >= moment


def use_student_link(db: Session, token: str, *, now: datetime) -> Student | None:
    """Spend a link with all others of its student, in the caller's transaction; of two uses at once, one is refused.

    Args:
        db: begun with `begin_writing`.
        token: of the link.
        now: aware.

    Returns:
        The student; None as for `student_of_link`, and nothing is changed.
    """
    student = student_of_link(db, token, now=now)
    if student is None:
        return None
    used = sa.delete(StudentLink).where(StudentLink.token_hash == hash_token(token))
    if not db.connection().execute(used).rowcount:
        return None
    db.execute(sa.delete(StudentLink).where(StudentLink.student_id == student.id))
    return student


def end_own_page_sign_ins(db: Session, student_ids: Collection[int]) -> None:
    """Before an address changes: end sign-ins, links and waiting mail of the old one, in the caller's transaction."""
    if student_ids:
        end_sign_ins(db, SignIn.student_id.in_(student_ids))
        addresses = db.scalars(sa.select(Student.email).where(Student.id.in_(student_ids), Student.email.is_not(None)))
        waiting = (QueuedMail.recipient.in_(addresses.all()), QueuedMail.state == QueueState.WAITING)
        db.execute(sa.delete(QueuedMail).where(*waiting))
        db.execute(sa.delete(StudentLink).where(StudentLink.student_id.in_(student_ids)))
