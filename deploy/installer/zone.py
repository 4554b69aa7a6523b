"""The institution's time zone: given, asked for, or this machine's; never UTC because nobody thought of it."""

import sys
import zoneinfo
from pathlib import Path

from deploy.installer.places import InstallError, Places

_NOBODYS = ("UTC", "Etc/UTC", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu", "GMT", "Etc/GMT")
"""What images of machines are set to when nobody sets anything."""
_MEANT = "Etc/UTC"
"""As the programs write UTC where somebody said so: a bare UTC is what their settings hold when nobody did."""


def checked_zone(name: str) -> str:
    """The zone as it is kept.

    Raises:
        InstallError: there is no such zone.
    """
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise InstallError(f"--timezone: {name!r} is no IANA time zone, e.g. Europe/Warsaw") from None
    return _MEANT if name == "UTC" else name


def choose_zone(places: Places) -> str:
    """The zone of a first installation for which none is given: asked for at a terminal, else this machine's own.

    Raises:
        InstallError: nobody can be asked, and the machine has none of its own.
    """
    own = machine_zone(places)
    usable = own if own is not None and own not in _NOBODYS else None
    if sys.stdin.isatty():
        return _ask(usable)
    if usable is None:
        says = "does not say its own" if own is None else f"is set to {own}, as it is when nobody sets it"
        raise InstallError(
            f"--timezone is needed: this machine {says}. Say where the institution is, e.g. --timezone Europe/Warsaw; "
            f"if its clocks show UTC, --timezone {_MEANT}"
        )
    places.notes.append(f"The time zone is {usable}, this machine's own; --timezone sets another.")
    return usable


def machine_zone(places: Places) -> str | None:
    """The zone of the machine, or of the scratch root where that has one; None: it does not say, or no such zone."""
    for etc in dict.fromkeys((places.at("/etc"), Path("/etc"))):
        named = etc / "timezone"
        linked = etc / "localtime"
        name = None
        if linked.is_symlink() and "/zoneinfo/" in str(linked.readlink()):
            name = str(linked.readlink()).partition("/zoneinfo/")[2]
        elif named.is_file():
            name = named.read_text(encoding="utf-8", errors="replace").strip()
        if name:
            try:
                checked_zone(name)
            except InstallError:
                return None
            return name
    return None


def _ask(usable: str | None) -> str:
    offered = f" [{usable}]" if usable else ", e.g. Europe/Warsaw"
    while True:
        try:
            said = input(f"Time zone of the institution{offered}: ").strip() or usable or ""
        except EOFError:
            raise InstallError("--timezone is needed, e.g. --timezone Europe/Warsaw") from None
        try:
            return checked_zone(said)
        except InstallError as error:
            print(str(error).removeprefix("--timezone: "))  # noqa: T201
