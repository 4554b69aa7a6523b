"""The sign-in at the institution's provider: does discovery work, and does what the settings name exist?"""

import time
from email.utils import parsedate_to_datetime

import sqlalchemy as sa

from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.engine import DatabaseError
from attendance.database.models import Account, Course, Department
from attendance.database.opening import open_session
from attendance.settings import Settings
from operations.doctor.findings import Finding, ok, problem, warning
from webapp.account.oidc.provider import DISCOVERY, Provider
from webapp.account.oidc.room import BACK_CHANNEL, CALLBACK, LEFT, whole_address
from webapp.account.oidc.tokens import LEEWAY_S
from webapp.account.oidc.trouble import ProviderError
from webapp.outside import Caller, OutsideError

_SUBJECT = "sign-in"


def examine_provider(settings: Settings) -> list[Finding]:
    """Ask the provider what it offers, as the dashboard does, and look at what the rules name; off is well too."""
    oidc = settings.oidc
    if not oidc.on:
        return [ok(_SUBJECT, "with passwords: no provider is set")]
    caller = Caller(settings.web.private_networks)
    provider = Provider(oidc, whole_address(settings, CALLBACK), caller)
    try:
        offers = provider.metadata()
        number = provider.number_of_keys()
    except ProviderError as error:
        remedy = "Correct the ATTENDANCE_OIDC_ settings (docs/sign-in.md), or ask who runs the provider."
        return [problem(_SUBJECT, f"{oidc.issuer}: {error}", remedy), _addresses(settings), *_named(settings)]
    signs_out = "signs out there, too" if offers.end_session else "offers no signing out"
    found = [ok(_SUBJECT, f"{oidc.issuer} answers: {number} keys, {signs_out}")]
    found.append(_addresses(settings))
    if oidc.client_secret is None:
        text = "ATTENDANCE_OIDC_CLIENT_SECRET is not set here: right only of a public client, or where web.env has it"
        remedy = "It belongs into the environment of the dashboard (web.env; docs/sign-in.md)."
        found.append(warning(_SUBJECT, text, remedy))
    return [*found, *_clock(settings, caller), *_named(settings)]


def _addresses(settings: Settings) -> Finding:
    """What somebody types at the provider, be it there yet or not."""
    text = (
        f"it must know {whole_address(settings, CALLBACK)} (redirect), {whole_address(settings, LEFT)} (after "
        f"signing out) and, if it offers that, {whole_address(settings, BACK_CHANNEL)} (back-channel logout)"
    )
    return ok(_SUBJECT, text)


def _clock(settings: Settings, caller: Caller) -> list[Finding]:
    """Whether the provider's clock, as its answers have it, goes with the one here."""
    try:
        reply = caller.get(settings.oidc.issuer.rstrip("/") + DISCOVERY, limit=500_000, timeout=5)
        off = time.time() - parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (OutsideError, KeyError, ValueError):
        return []
    if abs(off) < LEEWAY_S:
        return []
    text = f"the clock here and the provider's differ by {abs(off):.0f} seconds; tokens are refused from {LEEWAY_S} on"
    return [problem(_SUBJECT, text, "Set both by NTP.")]


def _named(settings: Settings) -> list[Finding]:
    """Break-glass accounts that could not get in, and rules whose department or course is not there."""
    oidc, found = settings.oidc, []
    rules = [rule for rule in oidc.role_rules if rule.place and "*" not in rule.place]
    try:
        with open_session(settings.database_url) as db:
            for email in oidc.break_glass:
                account = db.scalar(sa.select(Account).where(Account.email == email))
                wrong = _why_not(account)
                if wrong is not None:
                    remedy = "`attendance lecturer add --admin` or `attendance lecturer reset-password` mends it."
                    found.append(problem(_SUBJECT, f"the break-glass account {email} {wrong}", remedy))
            for rule in rules:
                column = Department.name if rule.role == "department" else Course.code
                if db.scalar(sa.select(column).where(column == rule.place)) is None:
                    text = f"ATTENDANCE_OIDC_ROLES names {rule.place!r}, which is not there"
                    found.append(warning(_SUBJECT, text, "Correct the name, or add it in the dashboard."))
    except (DatabaseError, sa.exc.SQLAlchemyError):
        return []  # the examination of the database says so
    return found


def _why_not(account: Account | None) -> str | None:
    if account is None:
        return "does not exist"
    if not account.active:
        return "may not sign in"
    if not account.administers:
        return "is no administrator's"
    return "has no password" if account.password_hash == NO_PASSWORD else None
