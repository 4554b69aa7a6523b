"""Slowing down whoever guesses passwords.

Attempts are counted in the database, so that every process of every replica sees them and a restart forgets none. An
attempt is counted before the password is looked at. While it is being checked it is neither right nor wrong: attempts
beyond the limit wait for it, so that many guesses at once get no further than one after the other, and many right
passwords at once are no failures.
"""

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from attendance.database.engine import DatabaseError
from attendance.database.locks import exclusive
from attendance.database.models import SignInAttempt, utc_now

log = structlog.get_logger()

WINDOW_S = 15 * 60
PAIR_LIMIT = 5
ACCOUNT_LIMIT = 25
ADDRESS_LIMIT = 60
_WINDOW = timedelta(seconds=WINDOW_S)
# A check that takes longer has died with its process, and counts as failed.
_LONGEST_CHECK = timedelta(seconds=30)
# For how long, and how often, an attempt looks whether those before it were right.
_PATIENCE_S, _POLL_S = 5.0, 0.1
_SOON_S = 2
_MAX_ROWS = 100_000
_LOCK = "attendance-sign-in"


@dataclass(frozen=True)
class Limits:
    """How many failures within the window are too many.

    Attributes:
        pair: of an account from one address: a person who forgot.
        account: of an account from anywhere: many machines guessing at one person; higher, so that a stranger cannot
            easily keep somebody out.
        address: of an address: one machine guessing at many; highest, because a whole campus may share one.
    """

    pair: int = PAIR_LIMIT
    account: int = ACCOUNT_LIMIT
    address: int = ADDRESS_LIMIT


PASSWORDS = Limits()


@dataclass(frozen=True)
class Attempt:
    """One attempt at a password.

    Attributes:
        wait_s: seconds to wait before the next attempt; 0 when this one may go on.
        row: the attempt in the database, 0 when it is not there.
    """

    account: str
    address: str
    wait_s: int = 0
    row: int = 0


class Throttle:
    """Counts attempts at passwords for every process that shares the database.

    Args:
        engine: the database.
        key: a secret that all replicas share; without it nobody learns accounts and addresses from the table.
        clock: the present moment, UTC.
        limits: how many failures are too many.
        purpose: of what attempts are counted; those of another purpose count by themselves.
    """

    def __init__(
        self,
        engine: sa.Engine,
        key: str,
        clock: Callable[[], datetime] = utc_now,
        *,
        limits: Limits = PASSWORDS,
        purpose: str = "",
    ) -> None:
        self._engine = engine
        self._secret = key.encode()
        self._clock = clock
        self._limits = limits
        self._purpose = purpose

    def begin(self, account: str, address: str | None) -> Attempt:
        """Count an attempt, which `forgive` or `fail` must end unless it has to wait.

        Args:
            account: what tells the account, e.g. the e-mail address as typed.
            address: the client's network address; the networks of one IPv6 customer (/64) count as one.
        """
        account_key, address_key = self._key("account", account.lower()), self._key("address", network_of(address))
        give_up = time.monotonic() + _PATIENCE_S
        try:
            while True:
                attempt, checking = self._count(account_key, address_key)
                if not checking or time.monotonic() > give_up:
                    return attempt
                time.sleep(_POLL_S)
        except (sa.exc.SQLAlchemyError, DatabaseError) as error:  # a full disk must not keep everybody out
            log.error("throttle_unavailable", error=type(error).__name__)
            return Attempt(account_key, address_key)

    def forgive(self, attempt: Attempt) -> None:
        """The password was right: forget the account's failures, and this attempt of the address."""
        failures = sa.and_(SignInAttempt.account == attempt.account, SignInAttempt.failed)
        self._settle(sa.delete(SignInAttempt).where(sa.or_(failures, SignInAttempt.id == attempt.row)))

    def uncount(self, attempt: Attempt) -> None:
        """It was no guess: forget this attempt, and none before it."""
        self._settle(sa.delete(SignInAttempt).where(SignInAttempt.id == attempt.row))

    def fail(self, attempt: Attempt) -> None:
        """The password was wrong."""
        self._settle(sa.update(SignInAttempt).where(SignInAttempt.id == attempt.row).values(failed=True))

    def _settle(self, statement: sa.Delete | sa.Update) -> None:
        try:
            with exclusive(self._engine, _LOCK) as db:
                db.execute(statement)
        except (sa.exc.SQLAlchemyError, DatabaseError) as error:
            log.error("throttle_unavailable", error=type(error).__name__)

    def _count(self, account: str, address: str) -> tuple[Attempt, bool]:
        """The attempt, and whether it is refused only because of others that are still being checked."""
        now = self._clock()
        with exclusive(self._engine, _LOCK) as db:
            _tidy(db, now)
            mine, there = SignInAttempt.account == account, SignInAttempt.address == address
            limit = self._limits
            limits = ((sa.and_(mine, there), limit.pair), (mine, limit.account), (there, limit.address))
            failed = sa.or_(SignInAttempt.failed, SignInAttempt.tried_at <= now - _LONGEST_CHECK)
            wait = max(_wait(db, sa.and_(whose, failed), limit, now) for whose, limit in limits)
            if wait:
                return Attempt(account, address, wait_s=wait), False
            if any(_wait(db, whose, limit, now) for whose, limit in limits):
                return Attempt(account, address, wait_s=_SOON_S), True
            added = db.execute(sa.insert(SignInAttempt).values(account=account, address=address, tried_at=now))
            key = added.inserted_primary_key
            return Attempt(account, address, row=key[0] if key else 0), False

    def _key(self, kind: str, value: str) -> str:
        counted = f"{self._purpose}{kind}\0{value}"
        return hmac.new(self._secret, counted.encode(), hashlib.sha256).hexdigest()[:32]


def _tidy(db: sa.Connection, now: datetime) -> None:
    """Forget what is too old to count, and what a clock that was set back has left in the future."""
    tried_at = SignInAttempt.tried_at
    db.execute(sa.delete(SignInAttempt).where(sa.or_(tried_at <= now - _WINDOW, tried_at > now + _WINDOW)))
    newest = db.scalar(sa.select(sa.func.max(SignInAttempt.id))) or 0
    db.execute(sa.delete(SignInAttempt).where(SignInAttempt.id <= newest - _MAX_ROWS))


def _wait(db: sa.Connection, which: sa.ColumnElement[bool], limit: int, now: datetime) -> int:
    """Whole seconds until fewer than `limit` of these attempts lie within the window."""
    query = sa.select(SignInAttempt.tried_at).where(which).order_by(SignInAttempt.tried_at.desc())
    moment = db.scalar(query.limit(1).offset(limit - 1))
    return 0 if moment is None else max(1, int((moment + _WINDOW - now).total_seconds()) + 1)


def network_of(address: str | None) -> str:
    """The address as it is counted and shown: of IPv6 the network of one customer (/64); "unknown" for what is none."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
