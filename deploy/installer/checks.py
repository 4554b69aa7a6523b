"""Everything that can be known to be wrong before the first file is written."""

import os
import re
import socket
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from deploy.installer import database
from deploy.installer.answers import HIGHEST_PORT, Answers, Wishes
from deploy.installer.certificates import check_certificate
from deploy.installer.places import InstallError, Places
from deploy.installer.settings_file import changed_settings, read_settings
from deploy.installer.site import TLS, has_trial_certificate, missing_programs
from deploy.installer.zone import checked_zone

_UNREPLACED = re.compile(r"@[A-Z_]+@")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST_NAME = 120
_MYSQL_PORT = 3306
_TIMEOUT_S = 10


def check(places: Places, answers: Answers, wishes: Wishes, before: Answers | None) -> None:
    """Check machine and wishes; nothing is written.

    Args:
        places: whose.
        answers: what is wanted now.
        wishes: what counts for this run.
        before: what an earlier run was told; None: there was none.

    Raises:
        InstallError: something is wrong; the message names the option, and what to do.
    """
    _check_words(answers, wishes)
    _check_ports(answers)
    _check_database(places, answers, wishes)
    _check_release(answers)
    missing = missing_programs(answers)
    if missing:
        raise InstallError(f"missing here: apt-get install {' '.join(missing)}")
    if read_settings(places) is not None:
        changed_settings(places, wishes.settings)
    _check_certificate(places, answers, wishes, before)
    if answers.database:
        database.check_database(places, answers)
    if wishes.admin is not None:
        database.check_administrator(places, wishes.admin, wishes.admin_name)


def _check_words(answers: Answers, wishes: Wishes) -> None:
    for name, value in {**asdict(answers), **wishes.texts}.items():
        if isinstance(value, str) and (found := _UNREPLACED.search(value)):
            raise InstallError(f"--{name.replace('_', '-')}: {found[0]} was not replaced by what is yours")
    if wishes.institution is not None and (
        not wishes.institution.strip()
        or len(wishes.institution) > _LONGEST_NAME
        or not wishes.institution.isprintable()
    ):
        raise InstallError(f"--institution: 1 to {_LONGEST_NAME} letters, on one line")
    if wishes.timezone is not None:
        checked_zone(wishes.timezone)
    if wishes.admin is not None and not _EMAIL.fullmatch(wishes.admin):
        raise InstallError(f"--admin: {wishes.admin!r} is no e-mail address")
    if wishes.admin_name is not None and wishes.admin is None:
        raise InstallError("--admin-name belongs to --admin, which adds an administrator; names are changed on pages")
    if wishes.admin_name is not None and not wishes.admin_name.strip():
        raise InstallError("--admin-name is empty")


def _check_ports(answers: Answers) -> None:
    ports = {"--http-port": answers.http_port, "--https-port": answers.https_port, "--grpc-port": answers.grpc_port}
    for option, port in ports.items():
        if not 0 < port <= HIGHEST_PORT:
            raise InstallError(f"{option}: {port} is no port")
    for option, port in {"--metrics-port": answers.metrics_port, "--database-port": answers.database_port}.items():
        if not 0 <= port <= HIGHEST_PORT:
            raise InstallError(f"{option}: {port} is no port")
    ports |= {f"--services {address}": _port(address) for address in answers.own_services}
    if answers.web.rpartition(":")[0] in {"127.0.0.1", "localhost", "[::1]"}:
        ports["--web"] = _port(answers.web)
    if answers.metrics_port:
        numbers = range(len(answers.own_services))
        ports |= {f"--metrics-port (service {number + 1})": answers.metrics_port + number for number in numbers}
    if answers.database and answers.database_port:
        ports["--database-port"] = answers.database_port
    taken: dict[int, str] = {}
    for option, port in ports.items():
        if port in taken:
            raise InstallError(f"{option}: the port {port} is that of {taken[port]} already")
        taken[port] = option


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _check_database(places: Places, answers: Answers, wishes: Wishes) -> None:
    if not answers.database:
        told = [f"--{name.replace('_', '-')}" for name in ("database_port", "database_admin") if name in wishes.told]
        if told:
            raise InstallError(f"{' and '.join(told)}: your database is elsewhere, not in this machine's MariaDB")
    if answers.database_admin and not Path(answers.database_admin).is_file():
        raise InstallError(f"--database-admin: {answers.database_admin} is no file")
    known = database.read_secrets(places).get(database.URL)
    address = wishes.database_url or ("" if answers.database else known)
    if address is None:
        raise InstallError(f"{places.at(database.SECRETS)} has lost the database's address: give --database-url FILE")
    if address.startswith("sqlite"):
        if places.real:
            raise InstallError(
                "the units run by accounts of their own, and the file of an SQLite database is one account's: give "
                "--database NAME for one in this machine's MariaDB; `attendance db copy` takes the rows there"
            )
        return
    if address:
        _check_address(address)


def _check_address(address: str) -> None:
    """Of a server: that it names a database, and that the server is there."""
    parts = urlsplit(address)
    if not parts.path.strip("/"):
        raise InstallError("--database-url: the address lacks the name of the database behind the last /")
    if "unix_socket=" not in parts.query:
        _check_reached(parts.hostname or "localhost", parts.port or _MYSQL_PORT)


def _check_reached(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        raise InstallError(f"the database's server {host}:{port} cannot be reached from here: {error}") from None


def _check_release(answers: Answers) -> None:
    if answers.venv and not (Path(answers.venv).absolute() / "bin" / "attendance").exists():
        raise InstallError(f"--venv: {Path(answers.venv).absolute()} has no attendance installed")


def _check_certificate(places: Places, answers: Answers, wishes: Wishes, before: Answers | None) -> None:
    if wishes.certificate is not None and wishes.key is not None:
        check_certificate(wishes.certificate, wishes.key, answers.host)
    elif before is not None and before.host != answers.host and not has_trial_certificate(places):
        # What lies there is not a trial's, which is made anew for the host.
        certificate, key = places.at(f"{TLS}/service.pem"), places.at(f"{TLS}/service.key")
        if certificate.exists():
            try:
                check_certificate(certificate, key, answers.host)
            except InstallError as error:
                raise InstallError(f"--host {answers.host} needs a certificate for it: {error}") from None


def check_root(places: Places) -> None:
    """Check that this account may install, or remove.

    Raises:
        InstallError: it may not.
    """
    if places.real and os.geteuid() != 0:
        raise InstallError("only root can install; use sudo, or --root FOLDER for a trial")
