"""`deploy/install`: every step in its order; each leaves alone what is in order already."""

import sys
from collections.abc import Sequence
from dataclasses import replace

from deploy.installer import database, running, site
from deploy.installer.answers import Answers, Wishes, parse, read_answers, read_remembered, read_wishes, remember
from deploy.installer.checks import check, check_root
from deploy.installer.packages import Packages, choose_packages
from deploy.installer.places import InstallError, Places
from deploy.installer.release import fetch_models, prepare_release, use_release
from deploy.installer.removal import check_removal, uninstall
from deploy.installer.settings_file import read_settings
from deploy.installer.zone import choose_zone


def main(words: Sequence[str] | None = None) -> int:
    """Install or uninstall, and say what was changed.

    Returns:
        The exit status.
    """
    given = parse(words)
    places = Places(given.root.absolute())
    try:
        check_root(places)
        before = read_remembered(places)
        check_removal(places, given, before)
        if given.uninstall:
            uninstall(places, before, delete_data=given.delete_data is not None)
        else:
            wishes = read_wishes(given)
            answers = read_answers(before, given)
            environment = places.at("/opt/attendance/current/venv")
            packages = choose_packages(environment, tracing=answers.tracing, wheelhouse=wishes.wheelhouse)
            check(places, answers, wishes, before)
            if wishes.timezone is None and read_settings(places) is None:
                wishes = replace(wishes, timezone=choose_zone(places))
            _install(places, answers, wishes, packages)
    except (InstallError, PermissionError) as error:
        print(f"deploy/install: {error}", file=sys.stderr)  # noqa: T201
        for line in places.notes:  # a password among them is shown once
            print(line)  # noqa: T201
        return 1
    for line in [*(places.changes or ["Everything is in order already; nothing was changed."]), *places.notes]:
        print(line)  # noqa: T201
    return 0


def _install(places: Places, answers: Answers, wishes: Wishes, packages: Packages) -> None:
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
        if places.real:
            places.notes.append("Nothing was started: systemd does not run on this machine.")
        for number in range(1, len(answers.own_services) + 1):
            site.move_outbox(places, number)
    for path in superfluous:
        path.unlink()
        places.changes.append(f"removed {path}")
    site.examine_certificates(places, release)


if __name__ == "__main__":
    sys.exit(main())
