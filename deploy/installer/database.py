"""The secrets of an installation, its database in MariaDB, and its tables."""

import os
import re
import secrets
import subprocess
from pathlib import Path
from urllib.parse import quote

from deploy.installer.addresses import password_of
from deploy.installer.answers import Answers
from deploy.installer.places import USER, InstallError, Places
from deploy.installer.settings_file import SETTINGS

SECRETS = "/etc/attendance/secrets.env"
WEB_SECRETS = "/etc/attendance/web.env"
URL, _KEY = "ATTENDANCE_DATABASE_URL", "ATTENDANCE_WEB_SECRET_KEY"
_HEAD = "# Written by deploy/install. Back this file up; show it to nobody."
_REMARKS = {_KEY: "# The key that signs sign-ins.", URL: "# The database, with its password."}
_LISTED = re.compile(r"(?P<email>\S+)\s+(?P<roles>no role yet|[a-z]+(?:, [a-z]+)*)\s+(?P<name>.+)")
_SOCKET = "/run/mysqld/mysqld.sock"


def make_secrets(places: Places, answers: Answers, url: str | None) -> str:
    """Write the secrets (mode 0600), made where they are missing; those that are there stay.

    Args:
        places: whose.
        answers: what database.
        url: of a database made elsewhere, which replaces the address that is there.

    Returns:
        The password of the database in this machine's MariaDB; empty when the database is elsewhere.
    """
    known = read_secrets(places)
    password = ""
    if answers.database:
        password = password_of(known.get(URL, ""), answers.database) or secrets.token_urlsafe(24)
        place = f"127.0.0.1:{answers.database_port}" if answers.database_port else "localhost"
        socket = "" if answers.database_port else f"?unix_socket={_SOCKET}"
        url = f"mysql+pymysql://{answers.database}:{quote(password, safe='')}@{place}/{answers.database}{socket}"
    key = known.get(_KEY) or secrets.token_urlsafe(48)
    # The dashboard's first: until now both stood in one file.
    _write(places, WEB_SECRETS, _KEY, key)
    _write(places, SECRETS, URL, url or known[URL])
    return password


def _write(places: Places, path: str, name: str, value: str) -> None:
    """Write a file of secrets; what an operator added to it stays: the secret of the provider of sign-ins, say."""
    file = places.at(path)
    lines = _text(file).splitlines() if file.exists() else []
    ours = (_HEAD, *_REMARKS.values(), *(f"{one}=" for one in _REMARKS))
    added = [line for line in lines if line and not line.startswith(ours)]
    places.write(path, "\n".join([_HEAD, _REMARKS[name], f'{name}="{value}"', *added, ""]), mode=0o600)


def read_secrets(places: Places) -> dict[str, str]:
    """The secrets that are there."""
    files = [file for file in (places.at(SECRETS), places.at(WEB_SECRETS)) if file.exists()]
    texts = (line for file in files for line in _text(file).splitlines())
    lines = (line for line in texts if line and not line.startswith("#"))
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InstallError(f"{file} is damaged: it is no text. Put back the one from a backup") from None


def make_database(places: Places, answers: Answers, password: str) -> None:
    """Make the database and its user in MariaDB, with this password; nothing changes when all is there.

    Raises:
        InstallError: MariaDB cannot be reached or refuses.
    """
    name = answers.database
    user = _user(answers)
    pattern = name.replace("_", r"\_")  # GRANT takes a pattern, in which _ is any character
    text = password.replace("\\", "\\\\").replace("'", "\\'")
    sql = f"""
        CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4;
        CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{text}';
        ALTER USER {user} IDENTIFIED BY '{text}';
        GRANT ALL ON `{pattern}`.* TO {user};
    """
    _ask_mariadb(answers, sql)


def check_database(places: Places, answers: Answers) -> None:
    """Check that MariaDB is there and lets its administrator in, and that a trial takes nobody's database.

    Raises:
        InstallError: MariaDB cannot be reached or refuses, or a trial's database is another installation's.
    """
    name = answers.database
    sql = f"SELECT COUNT(*) FROM mysql.user WHERE user = '{name}';"  # noqa: S608 - letters, digits and _ only
    there = _ask_mariadb(answers, sql).split()[-1] != "0"
    own = password_of(read_secrets(places).get(URL, ""), name)
    if there and not own and not places.real:
        raise InstallError(
            f"--database: MariaDB has a user {name} already, perhaps this machine's own installation, and a trial "
            "would give it another password: give --database NAME with another name"
        )


def drop_database(places: Places, answers: Answers) -> None:
    """Remove the database from MariaDB, with its user."""
    name = answers.database
    _ask_mariadb(answers, f"DROP DATABASE IF EXISTS `{name}`; DROP USER IF EXISTS {_user(answers)};")
    places.changes.append(f"removed the database {name} and its user from MariaDB")


def _user(answers: Answers) -> str:
    """The database's user, as statements name it."""
    return f"'{answers.database}'@'{'127.0.0.1' if answers.database_port else 'localhost'}'"


def _ask_mariadb(answers: Answers, sql: str) -> str:
    words = ["mariadb"]
    if answers.database_admin:
        words.append(f"--defaults-extra-file={answers.database_admin}")
    if answers.database_port:
        words += ["--protocol=tcp", "--host=127.0.0.1", f"--port={answers.database_port}"]
    try:
        # The statements hold a password: they go in by standard input, where no list of processes shows them.
        done = subprocess.run(words, input=sql, capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise InstallError("MariaDB is missing: apt-get install mariadb-server") from None
    if done.returncode != 0:
        raise InstallError(f"MariaDB: {done.stderr.strip()}; does it run (systemctl status mariadb)?")
    return done.stdout


def run_attendance(places: Places, release: Path, *words: str, as_user: bool = True, **more: str) -> str:
    """Run `attendance WORDS` of a release with the installation's settings; gives its standard output.

    Args:
        places: whose settings.
        release: its folder.
        words: the command's.
        as_user: as the system's user (in a real installation), not as root.
        more: variables of the environment.

    Raises:
        InstallError: it ended badly.
    """
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
    environ |= {name: value for name, value in read_secrets(places).items() if name.startswith("ATTENDANCE_")}
    environ |= {"ATTENDANCE_CONFIG": str(places.at(SETTINGS)), "HOME": str(places.at("/var/lib/attendance"))} | more
    user = USER if as_user and places.real else None
    done = subprocess.run(  # noqa: S603 - our own program
        [str(release / "venv" / "bin" / "attendance"), *words],
        env=environ, cwd=environ["HOME"], umask=0o077, user=user, group=user, extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise InstallError(f"attendance {' '.join(words)}: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def upgrade_tables(places: Places, release: Path) -> None:
    """Bring the tables to what the release needs."""
    said = run_attendance(places, release, "db", "upgrade").strip()
    if "up to date" not in said:
        places.changes.append(said)


def check_administrator(places: Places, email: str, name: str | None) -> None:
    """Check that an address that has an account already is an administrator's, by the name that is given.

    Raises:
        InstallError: it is somebody else's, or has another name.
    """
    release = places.at("/opt/attendance/current")
    if not places.at(SETTINGS).exists() or not (release / "venv" / "bin" / "attendance").exists():
        return
    try:
        found = _account(places, release, email)
    except InstallError:
        return  # tables of before an upgrade; who is there is asked again after it
    _require_administrator(email, name, found)


def add_administrator(places: Places, release: Path, email: str, name: str | None) -> None:
    """Add an administrator, and print their password; nothing happens when the address is an administrator's.

    Raises:
        InstallError: the address has an account that is none, or another name.
    """
    found = _account(places, release, email)
    if found is not None:
        _require_administrator(email, name, found)
        return
    words = ["lecturer", "add", "--admin", "--email", email, "--name", name or "Administrator", "--generate"]
    password = run_attendance(places, release, *words).strip()
    places.changes.append(f"added the administrator {email}")
    places.notes.append(f"Administrator {email}, password (shown this once): {password}")


def _account(places: Places, release: Path, email: str) -> tuple[str, str] | None:
    """What `attendance lecturer list` says of an address: its roles, and the name with what is behind it."""
    for line in run_attendance(places, release, "lecturer", "list").splitlines():
        found = _LISTED.fullmatch(line)
        if found and found["email"] == email.lower():
            return found["roles"], found["name"]
    return None


def _require_administrator(email: str, name: str | None, found: tuple[str, str] | None) -> None:
    if found is None:
        return
    roles, called = found
    if "administrator" not in roles.split(", "):
        raise InstallError(f"--admin: {email} has an account that is no administrator's (`attendance lecturer role`)")
    if called.endswith("(may not sign in)"):
        raise InstallError(f"--admin: {email} may not sign in; an administrator changes that on the dashboard")
    if name is not None and name != called:
        raise InstallError(f"--admin-name: {email} is called {called!r}; names are changed on the dashboard")
