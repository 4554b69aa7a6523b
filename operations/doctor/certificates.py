"""Certificates: on disk, in use by nginx and the service, and whether both are the same."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attendance.settings import Settings
from attendance.settings.listening import listens_on_this_machine_only
from operations.certificates.deployed import Deployed, deployed_here, is_known, key_fault, shown_at
from operations.certificates.facts import Facts, facts_of_bytes, facts_of_file
from operations.certificates.trial import RENEW_WITHIN, CertificateError, is_trial
from operations.doctor.findings import Finding, Verdict, ok, problem, warning
from recognition_service.access.certificates import server_credentials
from recognition_service.listening import ServerSetupError

_RENEW_BEFORE = timedelta(days=21)
_TAKES_IT = "Put a new one in its place; the running service takes it at the next connection."
_OWN = "Run deploy/install --certificate FILE --key FILE with a new one (docs/operations.md, A certificate)."
_TRIAL = "Run deploy/install: it renews a trial's certificate in its last week. Cameras need the new ca.pem then."


def examine_certificates(settings: Settings) -> list[Finding]:
    """Those of nginx, where the installer put it before the programs, and the service's own."""
    try:
        deployed = deployed_here()
        before = [] if deployed is None else examine_deployed(deployed)
    except CertificateError as error:
        before = [problem("certificate", str(error), _OWN)]
    own = _of_the_service(settings)
    return [*before, *(finding for finding in own if not before or finding.verdict is not Verdict.OK)]


def examine_deployed(deployed: Deployed, *, ask: bool = True) -> list[Finding]:
    """The certificate that nginx has on disk, and the one that it shows.

    Args:
        deployed: where they are.
        ask: whether to ask over the network.

    Raises:
        CertificateError: a file cannot be used.
    """
    trial = is_trial(deployed.certificate.parent)
    facts = facts_of_file(deployed.certificate)
    found = [_validity(str(deployed.certificate), "certificate", facts, trial=trial, renew=_TRIAL if trial else _OWN)]
    if not facts.is_for(deployed.host):
        names = ", ".join(facts.names) or "nothing"
        text = f"{deployed.certificate} is for {names}, and not for {deployed.host}: browsers and cameras refuse it"
        found.append(problem("certificate", text, _TRIAL if trial else _OWN))
    if (fault := key_fault(deployed.certificate, deployed.key)) is not None:
        text = f"{deployed.key} is not the key of {deployed.certificate} ({fault}): nginx will not start again"
        found.append(problem("certificate", text, _OWN))
    if ask:
        found += [finding for address in deployed.addresses for finding in _shown(deployed, address, facts)]
    return found


def _shown(deployed: Deployed, address: tuple[str, int], on_disk: Facts) -> list[Finding]:
    subject, where = "certificate in use", f"{address[0]}:{address[1]}"
    try:
        facts = facts_of_bytes(shown_at(address, deployed.host))
        known = is_known(address, deployed.host, deployed.authorities)
    except OSError as error:
        text = f"nobody shows one at {where}: {error.strerror or error}"
        return [warning(subject, text, "Start nginx: `sudo nginx -t` names what keeps it from it.")]
    if facts.fingerprint != on_disk.fingerprint:
        text = f"nginx shows another at {where} (until {facts.ends:%Y-%m-%d}) than {deployed.certificate} holds"
        made = problem if facts.ends <= datetime.now(UTC) else warning
        return [made(subject, f"{text}: it has not read the new one", "Run `sudo systemctl reload nginx`.")]
    if not known:
        text = f"no authority that this machine knows signed what {where} shows: browsers and cameras may refuse it"
        remedy = "Put the authority's intermediate certificates behind it in the file (often called fullchain.pem)."
        return [warning(subject, text, remedy)]
    return [ok(subject, f"the same at {where}")]


def _of_the_service(settings: Settings) -> list[Finding]:
    """Whether its certificate and key fit, and for how long they are good."""
    service = settings.service
    try:
        server_credentials(service)
    except ServerSetupError as error:
        return [problem("certificate", str(error), "Correct the ATTENDANCE_SERVICE_TLS_ settings or the files.")]
    if service.tls_certificate is None:
        if listens_on_this_machine_only(service.listen):
            return [ok("certificate", "none needed: the service listens on this machine only")]
        text = f"the service listens on {service.listen} without TLS: tokens and faces go unencrypted"
        return [
            warning("certificate", text, "Set ATTENDANCE_SERVICE_TLS_CERTIFICATE and _KEY, or listen on 127.0.0.1.")
        ]
    return [_file(path, name) for path, name in _files(service.tls_certificate, service.tls_client_ca)]


def _files(certificate: Path, authority: Path | None) -> Sequence[tuple[Path, str]]:
    return [(certificate, "certificate"), *([] if authority is None else [(authority, "cameras' authority")])]


def _file(path: Path, name: str) -> Finding:
    try:
        return _validity(str(path), name, facts_of_file(path), renew=_TAKES_IT)
    except CertificateError as error:
        return problem(name, str(error), _TAKES_IT)


def _validity(path: str, name: str, facts: Facts, *, renew: str, trial: bool = False) -> Finding:
    now, end = datetime.now(UTC), facts.ends
    if facts.begins > now:
        text = f"{path} is not valid before {facts.begins:%Y-%m-%d %H:%M} UTC"
        return problem(name, text, "Correct this machine's clock, or wait.")
    if end <= now:
        return problem(name, f"{path} expired on {end:%Y-%m-%d %H:%M} UTC: cameras are refused", renew)
    days = (end - now).days
    if end - now < (RENEW_WITHIN if trial else _RENEW_BEFORE):
        return warning(name, f"{path} expires in {days} days, on {end:%Y-%m-%d}", renew)
    kind = " (a trial's: browsers warn of it)" if trial else ""
    return ok(name, f"{path}{kind} is good for {days} more days")
