"""There and back: a person is sent to the provider, and comes back with an answer that only this browser can use."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from flask import Blueprint, Flask, current_app, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from attendance.database.access.identities import spend
from attendance.database.access.sign_ins import ThroughProvider
from attendance.database.audit.noting import THE_STUDENT, note
from attendance.database.models import Account, AuditAction, utc_now
from attendance.tables.fields import EMAIL
from webapp.account.identity import begin_half_sign_in, public, sign_in, signed_in_account, signed_in_student
from webapp.account.oidc.people import FoundPerson, admit, find_account, find_student, known_claims, said_address
from webapp.account.oidc.problems import problem_page
from webapp.account.oidc.provider import SignedIn
from webapp.account.oidc.room import PREFIX, oidc_settings, provider, students_too
from webapp.account.oidc.tokens import Claims
from webapp.account.oidc.trouble import ProviderError, Reason, quoted
from webapp.account.throttle import Limits, Throttle
from webapp.tools.requests import safe_path
from webapp.tools.storage import begin_change, database, engine_of

log = structlog.get_logger()

blueprint = Blueprint("provider", __name__, url_prefix=PREFIX)

_THROTTLE = "attendance_provider_throttle"
# Only answers that are not to be believed count, and only against the network from which they come; a campus is one.
_ANSWERS = Limits(pair=60, account=1_000_000, address=60)
_UNTRUE = frozenset({Reason.UNTRUE, Reason.CODE})
_BEGUN = "provider"
_WITHIN_S = 15 * 60
"""For so long somebody may take to sign in there."""
_MOST_BEGUN = 3
"""Sign-ins that a browser has begun at a time, in several tabs."""
_LONGEST_TARGET = 300


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that this browser began: what it kept of it."""

    state: str
    nonce: str
    verifier: str
    as_student: bool
    target: str | None


def init_answers(app: Flask) -> None:
    """Give the application, which has its database and its key, the count of answers that are not to be believed."""
    app.extensions[_THROTTLE] = Throttle(engine_of(app), str(app.secret_key), limits=_ANSWERS, purpose="provider ")


def answers_throttle() -> Throttle:
    """The count of answers that are not to be believed."""
    found: Throttle = current_app.extensions[_THROTTLE]
    return found


@blueprint.get("")
@public
def start() -> ResponseReturnValue:
    """Send somebody to the provider; `?as=student`: for the own page; `?anew=1`: to say again there who it is."""
    as_student = request.args.get("as") == "student" and students_too()
    target = safe_path(request.args.get("next"))
    if as_student and signed_in_student() is not None:
        return redirect(url_for("me.home"))
    if not as_student and signed_in_account() is not None:
        return redirect(target or url_for("courses.home"))
    database().commit()  # the connection: the provider may take its time
    try:
        began = provider().begin(anew=request.args.get("anew") == "1")
    except ProviderError as error:
        return _refused(error, as_student=as_student)
    target = target if target and len(target) <= _LONGEST_TARGET else None
    others = list(_all_begun().items())[-(_MOST_BEGUN - 1) :]
    kept = [began.nonce, began.verifier, as_student, target, int(time.time())]
    session[_BEGUN] = {**dict(others), began.state: kept}
    return redirect(began.address)


@blueprint.get("/callback")
@public
def callback() -> ResponseReturnValue:
    """Take the provider's answer, for the one time that it counts, and sign in whom it tells of."""
    begun = _take_begun()
    database().commit()  # counting takes a connection of its own, and may wait
    throttle = answers_throttle()
    attempt = throttle.begin("answer", request.remote_addr)
    as_student = begun is not None and begun.as_student
    if attempt.wait_s:
        return _refused(ProviderError(Reason.TOO_MANY), as_student=as_student)
    claims: Claims = {}
    try:
        if begun is None:
            raise ProviderError(Reason.STALE)
        answer = provider().finish(
            _code(), nonce=begun.nonce, verifier=begun.verifier, needed=oidc_settings().needed_claims
        )
        claims = answer.claims
        answered = _sign_in(begun, answer)
    except ProviderError as error:
        if error.reason in _UNTRUE:
            throttle.fail(attempt)
        else:
            throttle.uncount(attempt)
        return _refused(error, as_student=as_student, claims=claims)
    throttle.uncount(attempt)
    return answered


def _code() -> str:
    """The code of the answer.

    Raises:
        ProviderError: it is none, or of another provider than the one that was asked (RFC 9207).
    """
    given = request.args
    if any(len(given.getlist(name)) > 1 for name in ("code", "state", "iss", "error")):
        raise ProviderError(Reason.UNTRUE, "its answer says something twice")
    issuer, names_itself = given.get("iss"), provider().metadata().names_itself
    if (issuer is None and names_itself) or (issuer is not None and issuer != provider().issuer):
        raise ProviderError(Reason.UNTRUE, f"the answer comes from {quoted(issuer)}")
    error = given.get("error")
    if error is not None:
        said = quoted(f"{error} {given.get('error_description', '')}".strip())
        away = error in ("server_error", "temporarily_unavailable")
        raise ProviderError(Reason.AWAY if away else Reason.DECLINED, said)
    code = given.get("code")
    if not code or len(code) > 4_000:
        raise ProviderError(Reason.UNTRUE, "its answer holds no code")
    return code


def _sign_in(begun: Begun, answer: SignedIn) -> ResponseReturnValue:
    admit(oidc_settings(), answer.claims)
    try:
        found = _find(begun, answer.claims)
    except IntegrityError:  # the same person came in at the same moment, in another tab: now there is a binding
        database().rollback()
        found = _find(begun, answer.claims)
    session_there = answer.claims.get("sid")
    through = ThroughProvider(
        found.identity_id,
        session=session_there if isinstance(session_there, str) and len(session_there) <= 255 else None,
        id_token=answer.id_token if oidc_settings().sign_out_there else None,
    )
    if not isinstance(found.person, Account):
        sign_in(found.person, through=through)
        return redirect(url_for("me.home"))
    if found.person.second_factor_since is not None and oidc_settings().second_factor:
        begin_half_sign_in(found.person, through=through)
        return redirect(url_for("code.page", next=begun.target))
    sign_in(found.person, through=through)
    return redirect(begun.target or url_for("courses.home"))


def _find(begun: Begun, claims: Claims) -> FoundPerson:
    """Who it is here, in a transaction that keeps all of it or nothing."""
    settings, now, db = oidc_settings(), utc_now(), begin_change()
    try:
        if not spend(db, settings.issuer, begun.nonce, now=now, expires_at=now + timedelta(seconds=2 * _WITHIN_S)):
            raise ProviderError(Reason.STALE)
        found = _student(db, claims, now) if begun.as_student else _anybody(db, claims, now)
        if isinstance(found.person, Account):
            asked = settings.second_factor and found.person.second_factor_since is not None
            if not asked:  # else the second step says so
                note(db, AuditAction.SIGNED_IN, actor=found.person.id, details={"by": "provider"})
        else:
            number = found.person.index_number
            note(db, AuditAction.OWN_PAGE_OPENED, actor=THE_STUDENT, student=number, details={"by": "provider"})
        db.commit()
    except ProviderError:
        db.rollback()
        raise
    return found


def _student(db: Session, claims: Claims, now: datetime) -> FoundPerson:
    return find_student(db, oidc_settings(), claims, now=now)


def _anybody(db: Session, claims: Claims, now: datetime) -> FoundPerson:
    """An account; of whom has none, the own page."""
    try:
        return find_account(db, oidc_settings(), claims, now=now)
    except ProviderError as error:
        if error.reason is not Reason.NOBODY or not students_too():
            raise
    try:
        return _student(db, claims, now)
    except ProviderError:
        raise ProviderError(Reason.NOBODY) from None


def _refused(error: ProviderError, *, as_student: bool, claims: Claims | None = None) -> ResponseReturnValue:
    """Say so to the person, the log and the audit log; where nobody tried anything, to the person and the log."""
    claims = claims or {}
    log.warning("sign_in_at_provider_failed", reason=error.reason.name.lower(), detail=error.detail)
    address = said_address(oidc_settings(), claims) if claims else ""
    if request.endpoint == "provider.callback" and error.reason is not Reason.TOO_MANY:
        if claims:
            log.info("provider_said", claims=known_claims(claims, oidc_settings()))
        db = begin_change()
        # Of an account only: who is none may be a student, and no student's address belongs into the log.
        known = db.scalar(sa.select(Account.email).where(Account.email == EMAIL.clean(address))) if address else None
        details = {"by": "provider", "why": error.reason.value}
        note(db, AuditAction.SIGN_IN_FAILED, actor=None, subject=None if as_student else known, details=details)
        db.commit()
    return problem_page(error.reason, as_student=as_student, address=address)


def _all_begun() -> dict[str, list[object]]:
    kept = session.get(_BEGUN)
    return dict(kept) if isinstance(kept, dict) else {}


def _take_begun() -> Begun | None:
    """The sign-in that this answer ends, which the browser forgets with this; None: it began none, or too long ago."""
    begun = _all_begun()
    state = request.args.get("state", "")
    kept = begun.pop(state, None)
    session[_BEGUN] = begun
    match kept:
        case [str(nonce), str(verifier), bool(as_student), str() | None as target, int(began_at)]:
            if 0 <= time.time() - began_at <= _WITHIN_S:
                return Begun(state, nonce, verifier, as_student, target)
    return None
