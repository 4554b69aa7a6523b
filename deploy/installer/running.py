"""Starting what was installed, and starting it again without a moment in which cameras find nobody."""

import re
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from deploy.installer.answers import Answers
from deploy.installer.places import UNIT_USERS, USER, InstallError, Places
from deploy.installer.site import move_outbox

_READY_WITHIN_S = 300
_SITE_ONLY = re.compile(r"/etc/(nginx|attendance/(nginx|tls)|logrotate\.d)")
_UNITS = ("attendance-web", "attendance-gallery", "attendance-post")
_TIMERS = ("attendance-purge.timer", "attendance-backup.timer")


def has_systemd() -> bool:
    """Whether systemd runs this machine."""
    return Path("/run/systemd/system").is_dir()


def make_users(places: Places) -> None:
    """Make the accounts and groups of the system, one a unit; nothing in a trial."""
    for user in (USER, *UNIT_USERS):
        if places.real and not _succeeds("id", "-u", user):
            _do("useradd", "--system", "--user-group", "--home-dir", "/var/lib/attendance", "--no-create-home",
                "--shell", "/usr/sbin/nologin", user)  # fmt: skip
            places.changes.append(f"made the user {user}")


def everything_runs(answers: Answers) -> bool:
    """Whether every unit is up: an earlier run may have stopped half-way."""
    services = [f"attendance-serve@{number}" for number in range(1, len(answers.own_services) + 1)]
    return all(_succeeds("systemctl", "is-active", "--quiet", unit) for unit in (*services, *_UNITS, *_TIMERS, "nginx"))


def start_everything(places: Places, answers: Answers, superfluous: list[Path]) -> None:
    """Enable and start every unit; those that run already are started again, one recognition service at a time.

    When only the site or the certificate has changed, nginx reads them again, and nothing else happens.

    Raises:
        InstallError: nginx refuses the site, or a unit does not start.
    """
    _do("nginx", "-t", "-q")
    if places.changes and all(_SITE_ONLY.search(line) for line in places.changes) and everything_runs(answers):
        _do("systemctl", "reload", "nginx")
        return
    _do("systemctl", "daemon-reload")
    for file in superfluous:
        _do("systemctl", "disable", "--now", "--quiet", f"attendance-serve@{file.stem.removeprefix('serve-')}")
    services = [f"attendance-serve@{number}" for number in range(1, len(answers.own_services) + 1)]
    _do("systemctl", "enable", "--quiet", "attendance.target", *services, *_UNITS, *_TIMERS)
    for number, service in enumerate(services):
        _do("systemctl", "stop", service)
        move_outbox(places, number + 1)
        _do("systemctl", "start", service)
        if answers.metrics_port:
            _wait_until_ready(places, service, answers.metrics_port + number)
    for unit in _UNITS:
        _do("systemctl", "restart", unit)
    _do("systemctl", "start", "attendance.target", *_TIMERS)
    _do("systemctl", "reload-or-restart", "nginx")


def stop_everything(places: Places) -> None:
    """Stop every unit and let none start again; what does not run is no fault."""
    if not has_systemd():
        return
    files = sorted(places.at("/etc/attendance").glob("serve-*.env"))
    services = [f"attendance-serve@{file.stem.removeprefix('serve-')}" for file in files]
    for unit in ("attendance.target", *_TIMERS, *services, *_UNITS, "attendance-backup", "attendance-purge"):
        if _succeeds("systemctl", "is-active", "--quiet", unit):
            _do("systemctl", "stop", unit)
            places.changes.append(f"stopped {unit}")
        _succeeds("systemctl", "disable", "--quiet", unit)


def forget_units() -> None:
    """Let systemd and nginx read what is there now."""
    if has_systemd():
        _do("systemctl", "daemon-reload")
        _succeeds("systemctl", "reload", "nginx")


def remove_users(places: Places) -> None:
    """Remove the accounts and groups of the system."""
    for user in (*UNIT_USERS, USER):
        if _succeeds("id", "-u", user):
            _do("userdel", user)
            places.changes.append(f"removed the user {user}")


def _wait_until_ready(places: Places, service: str, port: int) -> None:
    """Wait until a recognition service recognises; before the first index is built, until it answers."""
    has_index = places.at("/var/lib/attendance/gallery/index/CURRENT").exists()
    ready = "attendance_ready 1" if has_index else "attendance_ready"
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        if ready in _metrics(port):
            return
        time.sleep(1)
    raise InstallError(f"{service} is not ready after {_READY_WITHIN_S} s; journalctl -u {service} says why")


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode("utf-8"))
    except (OSError, urllib.error.URLError):
        return ""


def _succeeds(*words: str) -> bool:
    return subprocess.run(words, capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed words


def _do(*words: str) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    except FileNotFoundError:
        raise InstallError(f"{words[0]} is missing on this machine") from None
    if done.returncode != 0:
        raise InstallError(f"{' '.join(words)}: {(done.stderr or done.stdout).strip()[-2000:]}")
