"""Slowing down whoever guesses passwords.

Failed attempts are counted in a small SQLite file of the data folder, so that every worker process of this machine sees
them and a restart forgets none. The file holds hashes of addresses, no e-mail addresses.
"""

import hashlib
import ipaddress
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

log = structlog.get_logger()

WINDOW_S = 15 * 60
# Failures within the window. An account from one address: a person who forgot. An account from anywhere: many machines
# guessing at one person; higher, so that a stranger cannot easily keep somebody out. An address: one machine guessing
# at many; highest, because a whole campus may share one.
PAIR_LIMIT = 5
ACCOUNT_LIMIT = 25
ADDRESS_LIMIT = 60
_MAX_ROWS = 100_000
_BUSY_S = 5.0


@dataclass(frozen=True)
class Attempt:
    """One attempt at a password, counted as failed until `Throttle.forgive` hears otherwise.

    Attributes:
        wait_s: seconds to wait before the next attempt; 0 when this one may go on.
        row: the attempt in the file, 0 when it is not there.
    """

    account: str
    address: str
    wait_s: int = 0
    row: int = 0


class Throttle:
    """Counts attempts at passwords for every process that shares the file."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def begin(self, account: str, address: str | None) -> Attempt:
        """Count an attempt before the password is looked at, so that attempts at the same moment are counted too.

        Args:
            account: what tells the account, e.g. the e-mail address as typed.
            address: the client's network address; the networks of one IPv6 customer (/64) count as one.
        """
        account_key, address_key = _key("account", account.lower()), _key("address", _network(address))
        try:
            return self._count(account_key, address_key)
        except sqlite3.Error as error:  # a full disk must not keep everybody out
            log.error("throttle_unavailable", error=str(error))
            return Attempt(account_key, address_key)

    def forgive(self, attempt: Attempt) -> None:
        """The password was right: forget the account's failures, and this attempt of the address."""
        try:
            with self._file() as db:
                db.execute("DELETE FROM attempt WHERE account = ? OR id = ?", (attempt.account, attempt.row))
        except sqlite3.Error as error:
            log.error("throttle_unavailable", error=str(error))

    def _count(self, account: str, address: str) -> Attempt:
        now = self._clock()
        with self._file() as db:
            db.execute("DELETE FROM attempt WHERE at <= ? OR at > ?", (now - WINDOW_S, now + WINDOW_S))
            db.execute("DELETE FROM attempt WHERE id <= (SELECT MAX(id) FROM attempt) - ?", (_MAX_ROWS,))
            wait = max(
                _wait(db, "account = ? AND address = ?", (account, address), PAIR_LIMIT, now),
                _wait(db, "account = ?", (account,), ACCOUNT_LIMIT, now),
                _wait(db, "address = ?", (address,), ADDRESS_LIMIT, now),
            )
            if wait:
                return Attempt(account, address, wait_s=wait)
            row = db.execute("INSERT INTO attempt (account, address, at) VALUES (?, ?, ?)", (account, address, now))
            return Attempt(account, address, row=row.lastrowid or 0)

    @contextmanager
    def _file(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            db.execute("BEGIN IMMEDIATE")
            db.execute(
                "CREATE TABLE IF NOT EXISTS attempt "
                "(id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, address TEXT NOT NULL, at REAL NOT NULL)"
            )
            db.execute("CREATE INDEX IF NOT EXISTS attempt_account ON attempt (account, at)")
            db.execute("CREATE INDEX IF NOT EXISTS attempt_address ON attempt (address, at)")
            db.execute("CREATE INDEX IF NOT EXISTS attempt_at ON attempt (at)")
            yield db
            db.execute("COMMIT")
        finally:
            db.close()


def _wait(db: sqlite3.Connection, where: str, values: tuple[str, ...], limit: int, now: float) -> int:
    """Whole seconds until fewer than `limit` attempts lie within the window."""
    query = f"SELECT at FROM attempt WHERE {where} ORDER BY at DESC LIMIT 1 OFFSET ?"  # noqa: S608 - constants of this file
    row = db.execute(query, (*values, limit - 1)).fetchone()
    return 0 if row is None else max(1, int(row[0] + WINDOW_S - now) + 1)


def _network(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _key(kind: str, value: str) -> str:
    return hashlib.sha256(f"{kind}\0{value}".encode()).hexdigest()[:32]
