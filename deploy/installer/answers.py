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

FILE = "/etc/attendance/install.json"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,31}")
_HIGHEST_PORT = 65_535


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


@dataclass(frozen=True)
class Wishes:
    """What counts for one run only."""

    root: Path
    institution: str
    timezone: str
    database_url: str | None
    certificate: Path | None
    key: Path | None
    admin: str | None
    admin_name: str
    wheelhouse: Path | None


def read_answers(places: Places, given: argparse.Namespace) -> Answers:
    """Join the command line with what the last run remembered.

    Raises:
        InstallError: something is missing or no such thing.
    """
    names = [field.name for field in fields(Answers)]
    known = remembered.read(places.at(FILE), asdict(Answers()))
    told = {name: getattr(given, name) for name in names if getattr(given, name, None) is not None}
    answers = Answers(**{**known, **told, **({"database": ""} if given.database_url else {})})
    _check(answers)
    return answers


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
    add("--institution", default="Class attendance", help="name on top of every page")
    add("--timezone", default="UTC", help="time zone of the institution, e.g. Europe/Warsaw")
    add("--admin", metavar="EMAIL", help="add the first administrator, and print a password for them once")
    add("--admin-name", default="Administrator", help="the administrator's name")
    add("--certificate", type=Path, help="PEM certificate chain for the host (else one for a trial is made)")
    add("--key", type=Path, help="PEM private key of the certificate")
    add("--services", help="addresses of recognition services, with commas; those of 127.0.0.1 are run here")
    add("--database-url", metavar="FILE", type=Path, help="file that holds the address of a database made elsewhere")
    add("--database", help="name of the database, and of its user, in this machine's MariaDB")
    add("--database-port", type=int, help="port of MariaDB on 127.0.0.1 (else its socket)")
    add("--database-admin", metavar="FILE", help="option file of the database's administrator (else root's socket)")
    add("--web", metavar="ADDRESS", help="address of gunicorn behind nginx")
    for name in ("http", "https", "grpc", "metrics"):
        add(f"--{name}-port", type=int)
    tracing = "install OpenTelemetry too, for traces (else as the release in use has it)"
    add("--tracing", action=argparse.BooleanOptionalAction, help=tracing)
    add("--wheelhouse", metavar="FOLDER", type=Path, help="packages that `make wheelhouse` took along: no internet")
    add("--venv", help="environment to use in place of one made from the lock file")
    add("--root", type=Path, default=Path("/"), help="install into this folder instead: no user, nothing is started")
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
    for file in (given.certificate, given.key, given.database_url):
        if file is not None and not file.is_file():
            raise InstallError(f"{file} is no file")
    url = None if given.database_url is None else given.database_url.read_text(encoding="utf-8").strip()
    if url is not None:
        url = checked_address(url, str(given.database_url))
    return Wishes(
        given.root, given.institution, given.timezone, url, given.certificate, given.key, given.admin, given.admin_name,
        given.wheelhouse,
    )  # fmt: skip


def _check(answers: Answers) -> None:
    if not _HOST.fullmatch(answers.host):
        raise InstallError(f"--host: {answers.host!r} is no name of a machine, e.g. attendance.example.edu")
    if answers.database and not _DATABASE.fullmatch(answers.database):
        raise InstallError(f"--database: {answers.database!r}: letters, digits and _ only, 32 at most")
    for address in [*answers.all_services, answers.web]:
        host, _, port = address.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) <= _HIGHEST_PORT:
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
