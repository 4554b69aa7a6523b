"""`deploy/install`: every step in its order; each leaves alone what is in order already."""

import os
import sys
from collections.abc import Sequence

from deploy.installer import database, running, site
from deploy.installer.answers import Answers, Wishes, parse, read_answers, read_wishes, remember
from deploy.installer.packages import choose_packages
from deploy.installer.places import InstallError, Places
from deploy.installer.release import fetch_models, prepare_release, use_release


def main(words: Sequence[str] | None = None) -> int:
    """Install, and say what was changed.

    Returns:
        The exit status.
    """
    given = parse(words)
    places = Places(given.root.absolute())
    try:
        answers, wishes = read_answers(places, given), read_wishes(given)
        _check(places, answers)
        _install(places, answers, wishes)
    except (InstallError, PermissionError) as error:
        print(f"deploy/install: {error}", file=sys.stderr)  # noqa: T201
        return 1
    for line in places.changes or ["Everything is in order already; nothing was changed."]:
        print(line)  # noqa: T201
    return 0


def _check(places: Places, answers: Answers) -> None:
    if places.real and os.geteuid() != 0:
        raise InstallError("only root can install; use sudo, or --root FOLDER for a trial")
    missing = site.missing_programs(answers)
    if missing:
        raise InstallError(f"missing here: apt-get install {' '.join(missing)}")


def _install(places: Places, answers: Answers, wishes: Wishes) -> None:
    environment = places.at("/opt/attendance/current/venv")
    packages = choose_packages(environment, tracing=answers.tracing, wheelhouse=wishes.wheelhouse)
    running.make_users(places)
    site.make_folders(places)
    release = prepare_release(places, answers.venv, packages)
    remember(places, answers)
    site.write_settings(places, answers, wishes)
    password = database.make_secrets(places, answers, wishes.database_url)
    if answers.database:
        database.make_database(places, answers, password)
    database.upgrade_tables(places, release)
    fetch_models(places, release, packages.wheelhouse)
    site.place_certificates(places, answers, wishes, release)
    site.write_units(places)
    site.write_egress(places, answers)
    site.write_site(places, answers)
    superfluous = site.superfluous_services(places, answers)
    use_release(places, release)
    if wishes.admin:
        database.add_administrator(places, release, wishes.admin, wishes.admin_name)
    if places.real and running.has_systemd():
        if places.changes or not running.everything_runs(answers):
            running.start_everything(places, answers, superfluous)
    else:  # nothing runs that has them open
        for number in range(1, len(answers.own_services) + 1):
            site.move_outbox(places, number)
    for path in superfluous:
        path.unlink()
        places.changes.append(f"removed {path}")


if __name__ == "__main__":
    sys.exit(main())
