"""What `attendance web work` looks after: the sign-in's provider, sealed keys, and the dashboard's certificate.

What it finds are rows of the database (`attendance.database.upkeep.checks`), which `attendance doctor` says and the
recognition services' metrics show; that it looks at all tells that it runs.
"""

import dataclasses
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from cryptography import x509
from flask import Flask
from sqlalchemy.orm import Session

from attendance.database.audit.noting import by_program, note
from attendance.database.models import AuditAction, LtiKey, StandingCheck, utc_now
from attendance.database.transactions import is_databases_fault, transact
from attendance.database.upkeep.checks import (
    CERTIFICATE,
    ENDS,
    PROVIDER,
    SEALS,
    WORK,
    forget_check,
    is_due,
    note_check,
)
from attendance.errors import AttendanceError
from attendance.settings import Settings
from attendance.texts import english
from webapp.account.oidc.provider import Metadata, Provider
from webapp.account.oidc.room import CALLBACK, whole_address
from webapp.account.oidc.trouble import ProviderError
from webapp.lti.services.keys import private_part
from webapp.outside import Caller
from webapp.tools.sealing import SealError
from webapp.tools.storage import sessions_of

log = structlog.get_logger()

_TIMEOUT_S = 5
_HTTPS_PORT = 443
_UNKNOWN = english("It could not be checked; the worker's log says why.")
Found = Mapping[str, object] | None


class _NotWellError(AttendanceError):
    """What was checked is not well; the argument is a sentence for people."""


class StandingChecks:
    """The checks, as a kind of work; each is made when it was not made for some minutes, by whichever worker."""

    pause_s = 30.0
    refusals = 0

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Get ready; nothing is asked yet.

        Args:
            app: the dashboard, for its database and its secret.
            settings: all of them.
        """
        self._sessions, self._settings, self._secret = sessions_of(app), settings, str(app.secret_key)
        self._provider = (
            Provider(settings.oidc, whole_address(settings, CALLBACK), Caller(settings.web.private_networks), kept_s=0)
            if settings.oidc.on
            else None
        )

    def step(self, stopping: threading.Event) -> bool:
        """Make the checks that are due, one after the other."""
        provider = self._provider
        checks: dict[str, Callable[[Session], Found] | None] = {
            WORK: lambda _: None,
            SEALS: self._seals,
            PROVIDER: None if provider is None else lambda _: _offers(provider),
            CERTIFICATE: self._certificate if urlsplit(self._settings.web.address).scheme == "https" else None,
        }
        for name, check in checks.items():
            if stopping.is_set():
                break
            with self._sessions() as db:
                if check is None:
                    if db.get(StandingCheck, name) is not None:
                        transact(db, lambda db, name=name: forget_check(db, name))  # type: ignore[misc]
                elif is_due(db, name, utc_now()):
                    self._make(db, name, check)
        return False

    def rest(self) -> None:
        """Nothing is held between two looks."""

    def close(self) -> None:
        """Nothing is held."""

    def _make(self, db: Session, name: str, check: Callable[[Session], Found]) -> None:
        problem, found = None, None
        db.rollback()  # the connection: who is asked may take its time
        try:
            found = check(db)
        except _NotWellError as error:
            problem = error.args[0]
        except Exception as error:  # a fault of one must not keep the others
            if is_databases_fault(error):
                raise
            log.exception("check_not_made", check=name)
            problem = _UNKNOWN
        db.rollback()
        if problem is not None:
            log.warning("check_failed", check=name, problem=str(problem))
        transact(db, lambda db: self._write(db, name, problem, found))

    def _write(self, db: Session, name: str, problem: str | None, found: Found) -> None:
        before = db.get(StandingCheck, name)
        former = (before.found if before is not None else None) or {}
        if note_check(db, name, problem, found=found, now=utc_now()) and name == PROVIDER and found is not None:
            changed = sorted(key for key in found.keys() | former.keys() if found.get(key) != former.get(key))
            said = {"settings": ", ".join(changed)}
            note(
                db,
                AuditAction.SETTINGS_CHANGED,
                actor=by_program("worker"),
                subject=self._settings.oidc.issuer,
                details=said,
            )

    def _seals(self, db: Session) -> Found:
        """Open each key with which this tool signs, as sending rates does."""
        for key in db.scalars(sa.select(LtiKey).order_by(LtiKey.made_at)):
            try:
                private_part(key, self._secret)
            except SealError as error:
                raise _NotWellError(error.args[0]) from None
        return None

    def _certificate(self, _db: Session) -> Found:
        ends = _certificate_end(self._settings.web.address)
        if ends <= datetime.now(UTC):
            raise _NotWellError(english("The dashboard's certificate ended on %(day)s.", day=f"{ends:%Y-%m-%d}"))
        return {ENDS: ends.isoformat()}


def _offers(provider: Provider) -> Found:
    """What the provider says of itself now: what must not change unnoticed.

    Raises:
        _NotWellError: it does not answer, or not as it must.
    """
    try:
        offers: Metadata = provider.metadata()
        provider.number_of_keys()
    except ProviderError as error:
        raise _NotWellError(f"{provider.issuer}: {error}") from None
    return {**dataclasses.asdict(offers), "algorithms": sorted(offers.algorithms)}


def _certificate_end(address: str) -> datetime:
    """When the certificate ends that whoever opens the dashboard is shown; it is not judged otherwise.

    Args:
        address: of the dashboard, by https.

    Raises:
        _NotWellError: nobody shows one there.
    """
    parts = urlsplit(address)
    host, port = parts.hostname or "", parts.port or _HTTPS_PORT
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            shown = connection.getpeercert(binary_form=True) or b""
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _NotWellError(
            english("%(address)s shows no certificate to the worker: %(reason)s", address=address, reason=reason)
        ) from None
    return x509.load_der_x509_certificate(shown).not_valid_after_utc
