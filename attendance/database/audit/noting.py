"""Adding to the audit log: whoever does what belongs there notes it in the same transaction."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from types import MappingProxyType

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.models import Account, ActorKind, AuditAction, AuditEntry, ClassSession

ADDRESS = "address of who asks"
"""Under which a session's `info` has the network address that its work is asked for from."""

THROUGH = "token of who asks"
"""Under which a session's `info` has the name of the token with which a program asks for its work."""

_TOLD = "entries to be told of"
_WHO = "account of who asks"

log = structlog.get_logger()

Details = Mapping[str, str | int]
NO_DETAILS: Details = MappingProxyType({})
_LONGEST = 254
_LONGEST_DETAIL = 500


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something.

    Attributes:
        kind: in which way.
        name: the account's address, the operating system's user, or the program; of students and of nobody None.
        account_id: of whoever is signed in to the dashboard.
        address: of the network, from which it is asked for.
    """

    kind: ActorKind
    name: str | None = None
    account_id: int | None = None
    address: str | None = None


NOBODY = Actor(ActorKind.NOBODY)
THE_STUDENT = Actor(ActorKind.STUDENT)
"""The student whom the entry is about, on the own page."""


def by_command() -> Actor:
    """The operating system's user as whom this process runs, with whoever used sudo for it."""
    name = _user_name()
    before = os.environ.get("SUDO_USER")
    return Actor(ActorKind.COMMAND, f"{name} (sudo: {before})" if before else name)


def by_program(name: str) -> Actor:
    """A program that does something by itself."""
    return Actor(ActorKind.PROGRAM, name)


def note(
    db: Session,
    action: AuditAction,
    *,
    actor: Actor | int | None,
    student: str | None = None,
    subject: str | None = None,
    details: Details = NO_DETAILS,
    address: str | None = None,
) -> None:
    """Add an entry to the audit log, in the caller's transaction.

    No name of a student belongs here, and no index number but in `student`; nor a secret, a token or a password.

    Args:
        db: begun with `begin_writing`.
        action: what is done.
        actor: who does it; an account's id; None for somebody who is not signed in.
        student: the index number of the student whom it is done to.
        subject: what else it is done to: a course's code, an account's address, a file's name. What is too long is cut.
        details: what else should be known, by short names.
        address: of the network, from which it is asked for; by default the actor's own, or what the session knows.
    """
    who = _actor(db, actor)
    entry = AuditEntry(action=action.value, actor_kind=who.kind, account_id=who.account_id)
    entry.actor = who.name[:_LONGEST] if who.name else None
    entry.address = (address or who.address or db.info.get(ADDRESS) or "")[:64] or None
    entry.student, entry.subject = student, subject[:_LONGEST] if subject else None
    through = {"token": db.info[THROUGH]} if db.info.get(THROUGH) else {}
    told_of = {**through, **details}
    kept = {key: value[:_LONGEST_DETAIL] if isinstance(value, str) else value for key, value in told_of.items()}
    entry.details = kept or None
    db.add(entry)
    told = {"by": who.account_id, "actor": who.kind.value}
    db.info.setdefault(_TOLD, []).append((action.value.replace(".", "_"), told))


def note_command(sessions: sessionmaker[Session], words: str, details: Details = NO_DETAILS) -> None:
    """Note that a command was run, in a transaction of its own; `words` are those of the command."""
    with sessions.begin() as db:
        note(db, AuditAction.COMMAND_RUN, actor=by_command(), subject=words, details=details)


def tell_of_entries(sessions: sessionmaker[Session]) -> None:
    """Let sessions write a line into the program's log for each new entry, once it is committed.

    A copy of that log elsewhere shows what is missing here. Nothing is erased there, so it says neither to whom nor
    with which address.
    """

    def tell(db: Session) -> None:
        for event, fields in db.info.pop(_TOLD, []):
            log.info(event, **fields)

    sa.event.listen(sessions, "after_commit", tell)
    sa.event.listen(sessions, "after_rollback", lambda db: db.info.pop(_TOLD, None))


def words_of_session(session: ClassSession) -> str:
    """How the log calls a class session: the code of its course, and its start in UTC."""
    return f"{session.course.code} {session.starts_at.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _actor(db: Session, actor: Actor | int | None) -> Actor:
    if isinstance(actor, Actor):
        return actor
    if actor is None:
        return NOBODY
    # Held, since a session forgets what nobody holds, and would ask again for each of an import's thousands of entries.
    account = db.info[_WHO] = db.get(Account, actor)
    return Actor(ActorKind.ACCOUNT, None if account is None else account.email, actor)


def _user_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a number that has no name
        return str(os.getuid())
