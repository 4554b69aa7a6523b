"""What the operator wants: from the command line, else as last time, else the default."""

import argparse
import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from deploy.installer import remembered
from deploy.installer.addresses import checked_address
from deploy.installer.packages import require_wheelhouse
from deploy.installer.places import InstallError, Places
from deploy.installer.zone import checked_zone

FILE = "/etc/attendance/install.json"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
HIGHEST_PORT = 65_535


@dataclass(frozen=True)
class Answers:
    """What is remembered from one run to the next; none of it is secret.

    Attributes:
        host: the name by which browsers and cameras reach the machine.
        services: addresses of recognition services. Those of this machine are started; others only get cameras.
        metrics_port: of the first recognition service here, the next one has the next; 0: free ones.
        database: name of the database and of its user; empty when the operator gave a whole address.
        database_port: of MariaDB on 127.0.0.1; 0: its socket.
        database_admin: option file with which the database's administrator signs in; empty: as root, by the socket.
        venv: an environment that has everything installed, in place of one made from the lock file.
        tracing: whether OpenTelemetry is installed; None: as the release in use has it.
    """

    host: str = ""
    services: str = "127.0.0.1:50061,127.0.0.1:50062"
    web: str = "127.0.0.1:8000"
    http_port: int = 80
    https_port: int = 443
    grpc_port: int = 50051
    metrics_port: int = 9464
    database: str = "attendance"
    database_port: int = 0
    database_admin: str = ""
    venv: str = ""
    tracing: bool | None = None

    @property
    def all_services(self) -> list[str]:
        """Addresses of every recognition service."""
        return [address.strip() for address in self.services.split(",") if address.strip()]

    @property
    def own_services(self) -> list[str]:
        """Those that run on this machine; the first is number 1."""
        return [address for address in self.all_services if _is_loopback(address)]


_NAMES = tuple(field.name for field in fields(Answers))


@dataclass(frozen=True)
class Wishes:
    """What counts for one run only."""

    institution: str | None
    timezone: str | None
    web: str | None
    database_url: str | None
    certificate: Path | None
    key: Path | None
    admin: str | None
    admin_name: str | None
    wheelhouse: Path | None
    told: frozenset[str]
    """Names of the options of this run."""

    @property
    def texts(self) -> dict[str, str]:
        """What people typed, by option."""
        given = {"institution": self.institution, "timezone": self.timezone, "admin": self.admin}
        return {name: text for name, text in (given | {"admin_name": self.admin_name}).items() if text is not None}

    @property
    def settings(self) -> dict[tuple[str, str], str]:
        """What goes into the operator's file of settings, by section and key."""
        zone = None if self.timezone is None else checked_zone(self.timezone)
        values = {("institution", "name"): self.institution, ("institution", "timezone"): zone}
        return {place: value for place, value in (values | {("web", "listen"): self.web}).items() if value is not None}


def read_remembered(places: Places) -> Answers | None:
    """What the last run was told; None: there was none.

    Raises:
        InstallError: the file that remembers it is damaged.
    """
    file = places.at(FILE)
    if not file.exists():
        return None
    return Answers(**remembered.read(file, asdict(Answers())))


def read_answers(before: Answers | None, given: argparse.Namespace) -> Answers:
    """Join the command line with what the last run remembered.

    Raises:
        InstallError: something is missing or no such thing.
    """
    if given.database_url is not None and given.database is not None:
        raise InstallError("--database-url is for a database elsewhere, --database for this machine's: give one")
    known = {} if before is None else asdict(before)
    said = {name: getattr(given, name) for name in told(given) if name in _NAMES}
    answers = Answers(**{**known, **said, **({"database": ""} if given.database_url else {})})
    _check(answers)
    return answers


def told(given: argparse.Namespace) -> frozenset[str]:
    """Names of the options that a command line gives."""
    unsaid = vars(parse([]))
    return frozenset(name for name, value in vars(given).items() if value != unsaid[name])


def remember(places: Places, answers: Answers) -> None:
    """Keep the answers for the next run."""
    places.write(FILE, json.dumps(asdict(answers), indent=2) + "\n")


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="deploy/install",
        description="Install the class attendance system on this Debian machine, or upgrade it. Whatever is in order "
        "already is left as it is; what is not given is as last time.",
    )
    add = parser.add_argument
    add("--host", help="name by which browsers and cameras reach this machine (needed the first time)")
    add("--institution", help="name on top of every page (at first: Class attendance)")
    add("--timezone", help="zone of the institution, e.g. Europe/Warsaw (at first: asked for, or this machine's own)")
    add("--admin", metavar="EMAIL", help="add the first administrator, and print a password for them once")
    add("--admin-name", help="the administrator's name (Administrator)")
    add("--certificate", type=Path, help="PEM certificate chain for the host (else one for a trial is made)")
    add("--key", type=Path, help="PEM private key of the certificate")
    add("--services", help="addresses of recognition services, with commas; those of 127.0.0.1 are run here")
    add("--database-url", metavar="FILE", type=Path, help="file that holds the address of a database made elsewhere")
    add("--database", help="name of the database, and of its user, in this machine's MariaDB")
    add("--database-port", type=int, help="port of MariaDB on 127.0.0.1 (else its socket)")
    add("--database-admin", metavar="FILE", help="option file of the database's administrator (else root's socket)")
    add("--web", metavar="ADDRESS", help="address of gunicorn behind nginx (127.0.0.1:8000)")
    add("--http-port", type=int, help="where browsers are sent to HTTPS (80)")
    add("--https-port", type=int, help="of the dashboard (443)")
    add("--grpc-port", type=int, help="of cameras and enrolment tools (50051)")
    add("--metrics-port", type=int, help="of the first recognition service, the next has the next (9464); 0: free ones")
    tracing = "install OpenTelemetry too, for traces (else as the release in use has it)"
    add("--tracing", action=argparse.BooleanOptionalAction, help=tracing)
    add("--wheelhouse", metavar="FOLDER", type=Path, help="packages that `make wheelhouse` took along: no internet")
    add("--venv", help="environment to use in place of one made from the lock file")
    add("--root", type=Path, default=Path("/"), help="install into this folder instead: no user, nothing is started")
    add("--uninstall", action="store_true", help="stop and remove the system; data, settings and secrets stay")
    add("--delete-data", metavar="HOST", help="with --uninstall: these too; HOST, the installation's, says you mean it")
    return parser.parse_args(words)


def read_wishes(given: argparse.Namespace) -> Wishes:
    """What the command line says for this run.

    Raises:
        InstallError: a file that was named cannot be read, or a certificate comes without its key.
    """
    if (given.certificate is None) != (given.key is None):
        raise InstallError("--certificate and --key belong together")
    if given.wheelhouse is not None:
        require_wheelhouse(given.wheelhouse)
    for name in ("certificate", "key", "database_url"):
        file = getattr(given, name)
        if file is not None and not file.is_file():
            raise InstallError(f"--{name.replace('_', '-')}: {file} is no file")
    url = None if given.database_url is None else given.database_url.read_text(encoding="utf-8").strip()
    if url is not None:
        url = checked_address(url, str(given.database_url))
    return Wishes(
        institution=given.institution,
        timezone=given.timezone,
        web=given.web,
        database_url=url,
        certificate=given.certificate,
        key=given.key,
        admin=given.admin,
        admin_name=given.admin_name,
        wheelhouse=given.wheelhouse,
        told=told(given),
    )


def _check(answers: Answers) -> None:
    if not answers.host:
        raise InstallError("--host is needed the first time: the name by which browsers and cameras reach this machine")
    if not _HOST.fullmatch(answers.host):
        raise InstallError(f"--host: {answers.host!r} is no name of a machine, e.g. attendance.example.edu")
    if answers.database and not _DATABASE.fullmatch(answers.database):
        raise InstallError(f"--database: {answers.database!r}: letters, digits and _ only, 32 at most")
    for address in [*answers.all_services, answers.web]:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= HIGHEST_PORT:
            raise InstallError(f"{address!r} is no address and port, e.g. 127.0.0.1:50061")
    if not answers.all_services:
        raise InstallError("--services: none is given")
    if len(set(answers.all_services)) < len(answers.all_services):
        raise InstallError(f"--services: an address is there twice: {answers.services}")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False
