"""`deploy/install --uninstall`: what was installed goes, and what people entered stays, unless they say otherwise."""

import argparse
from pathlib import Path

from deploy.installer.answers import Answers, told
from deploy.installer.database import check_database, drop_database, read_secrets
from deploy.installer.places import SOURCE, UNIT_USERS, USER, InstallError, Places
from deploy.installer.running import forget_units, remove_users, stop_everything

_DATA = ("/var/lib/attendance", "/etc/attendance", "/var/log/attendance")
_OTHERS = ("root", "uninstall", "delete_data")


def check_removal(places: Places, given: argparse.Namespace, before: Answers | None) -> None:
    """Check what is asked for; nothing is removed.

    Raises:
        InstallError: an option does not go with it, or the data of another installation is meant, or MariaDB is away.
    """
    if given.delete_data is not None and not given.uninstall:
        raise InstallError("--delete-data belongs to --uninstall")
    others = [f"--{name.replace('_', '-')}" for name in told(given) if name not in _OTHERS]
    if given.uninstall and others:
        raise InstallError(f"--uninstall: {', '.join(sorted(others))} would be ignored; leave it away")
    if given.delete_data is None:
        return
    if before is None or before.host != given.delete_data:
        here = "none is installed here" if before is None else f"this one's is {before.host}"
        raise InstallError(f"--delete-data {given.delete_data}: it takes the host of the installation, and {here}")
    if before.database:
        check_database(places, before)


def uninstall(places: Places, before: Answers | None, *, delete_data: bool) -> None:
    """Stop and remove what was installed, and note what is left.

    Args:
        places: whose; what is removed is noted there.
        before: what the installation was told; None where it does not say.
        delete_data: whether data, settings, secrets and accounts go as well.
    """
    elsewhere = before is not None and not before.database and bool(read_secrets(places))
    others = _folders_that_links_name(places) if delete_data else []
    if places.real:
        stop_everything(places)
    for unit in sorted((SOURCE / "deploy" / "systemd").iterdir()):
        places.remove(f"/etc/systemd/system/{unit.name}")
        places.remove(f"/etc/systemd/system/{unit.name}.d/elsewhere.conf")
    for path in ("/etc/nginx/sites-enabled/attendance", "/etc/nginx/sites-available/attendance",
                 "/etc/logrotate.d/attendance", "/usr/local/bin/attendance", "/opt/attendance/current",
                 "/opt/attendance/previous", "/opt/attendance/releases", "/var/cache/attendance",
                 "/var/cache/attendance-serve"):  # fmt: skip
        places.remove(path)
    if delete_data and before is not None:
        if before.database:
            drop_database(places, before)
        for path in _DATA:
            places.remove(path)
        if places.real:
            remove_users(places)
    if places.real and places.changes:
        forget_units()
    if others:
        names = ", ".join(map(str, others))
        places.notes.append(f"Not removed, because only links led there: {names}. What people entered may be in it.")
    _note_what_is_left(places, before, delete_data=delete_data, elsewhere=elsewhere)


def _folders_that_links_name(places: Places) -> list[Path]:
    """Folders elsewhere, on a larger disk, say, to which links in the place of data folders lead."""
    data = [places.at(path) for path in _DATA]
    links = (found for path in data for found in (path, *path.rglob("*")) if found.is_symlink() and found.is_dir())
    return sorted({link.resolve() for link in links})


def _note_what_is_left(places: Places, before: Answers | None, *, delete_data: bool, elsewhere: bool) -> None:
    left = [] if delete_data else [str(places.at(path)) for path in _DATA if places.at(path).exists()]
    if left:
        if before is not None and before.database:
            left.append(f"the database {before.database} in MariaDB")
        if places.real:
            left.append(f"the accounts {', '.join((USER, *UNIT_USERS))}")
        places.notes.append(f"Left, with all that people entered: {', '.join(left)}.")
        if before is not None:
            places.notes.append(
                f"deploy/install takes it up again; --uninstall --delete-data {before.host} removes it, for good."
            )
    if elsewhere:
        places.notes.append("The database elsewhere is as it was: whoever runs it removes it.")
    if places.real:
        places.notes.append(
            f"Not touched: {SOURCE}, the packages (nginx, mariadb-server, ...), and nginx's welcome page, which stays "
            "off (ln -s ../sites-available/default /etc/nginx/sites-enabled/ brings it back)."
        )
