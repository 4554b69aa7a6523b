"""What the system puts into the machine's own places: settings, certificates, units, the nginx site, log rotation."""

import json
import shutil
import socket
from pathlib import Path

from deploy.installer.answers import Answers, Wishes
from deploy.installer.certificates import is_signed_by
from deploy.installer.database import run_attendance
from deploy.installer.places import SOURCE, USER, InstallError, Places
from deploy.installer.settings_file import SETTINGS, changed_settings, read_settings

TLS = "/etc/attendance/tls"
_UNITS = "/etc/systemd/system"
_DEFAULTS = "/etc/nginx/sites-enabled/default"


def make_folders(places: Places) -> None:
    """Make the folders that everything else lies in."""
    places.folder("/opt/attendance/releases")
    for path in ("/etc/attendance", "/etc/attendance/nginx.d", "/etc/attendance/nginx-cameras.d", TLS):
        places.folder(path)
    # Every account passes through the first to its own. Programs write what they make for their account alone; but
    # published indexes get their folder's group, to which recognition services belong.
    places.folder("/var/lib/attendance", 0o711, owner=USER)
    for path in ("/var/lib/attendance/gallery", "/var/lib/attendance/gallery/index"):
        places.folder(path, 0o750, owner=USER)
    for found in places.at("/var/lib/attendance/gallery/index").rglob("*"):  # of a version that knew one account
        if not found.is_symlink():
            found.chmod(0o750 if found.is_dir() else 0o640)
    for unit, name in (("serve", "serve"), ("web", "web"), ("post", "post"), ("backup", "backups")):
        places.folder(f"/var/lib/attendance/{name}", 0o700, owner=f"{USER}-{unit}")
    places.folder("/var/cache/attendance", 0o700, owner=USER)
    places.folder("/var/cache/attendance-serve", 0o700, owner=f"{USER}-serve")
    places.folder("/var/cache/attendance-serve/models", 0o755, owner=f"{USER}-serve")
    places.folder("/var/log/attendance", 0o750)


def move_outbox(places: Places, number: int) -> None:
    """Take the outbox of a recognition service that is stopped to where its account keeps it, from a version before."""
    for suffix in ("", "-wal", "-shm"):
        before = places.at(f"/var/lib/attendance/outbox-{number}.db{suffix}")
        after = places.at(f"/var/lib/attendance/serve/outbox-{number}.db{suffix}")
        if before.exists() and not after.exists():
            before.replace(after)
            places.give("/var/lib/attendance/serve", f"{USER}-serve")
            places.changes.append(f"moved {before} to {after}")


def write_egress(places: Places, answers: Answers) -> None:
    """Where the database is elsewhere, let the units out that reach nothing but this machine otherwise."""
    for unit in ("attendance-serve@", *(f"attendance-{name}" for name in ("gallery", "web", "backup", "purge"))):
        path = f"{_UNITS}/{unit}.service.d/elsewhere.conf"
        if not answers.database:
            places.write(path, places.fill("database-elsewhere.conf"))
        else:
            places.remove(path)


def write_settings(places: Places, answers: Answers, wishes: Wishes) -> None:
    """Write the operator's file of settings once, later only what options change; and each service's addresses.

    The first time the wishes name a time zone.
    """
    if read_settings(places) is None:
        told = wishes.settings
        name, zone = told.get(("institution", "name"), "Class attendance"), told["institution", "timezone"]
        place = answers.host if answers.https_port == 443 else f"{answers.host}:{answers.https_port}"
        quoted = {"INSTITUTION": name, "TIMEZONE": zone, "WEB": answers.web, "ADDRESS": f"https://{place}"}
        values = {name: json.dumps(value, ensure_ascii=False) for name, value in quoted.items()}
        places.write(SETTINGS, places.fill("attendance.toml", **values))
    else:
        places.write(
            SETTINGS, changed_settings(places, wishes.settings), mode=places.at(SETTINGS).stat().st_mode & 0o777
        )
        _note_settings(places, answers)
    for number, address in enumerate(answers.own_services, start=1):
        port = answers.metrics_port + number - 1 if answers.metrics_port else 0
        places.write(
            f"/etc/attendance/serve-{number}.env",
            f"# Recognition service {number}; written by deploy/install.\n"
            f"ATTENDANCE_SERVICE_LISTEN={address}\nATTENDANCE_SERVICE_METRICS_LISTEN=127.0.0.1:{port}\n",
        )


def _note_settings(places: Places, answers: Answers) -> None:
    """What the operator's file says and the installer does not think of otherwise."""
    there = read_settings(places) or {}
    if there.get("institution", {}).get("timezone", "UTC") == "UTC":
        places.notes.append(
            f"{places.at(SETTINGS)} has the time zone UTC, as when nobody sets it: --timezone Europe/Warsaw, "
            "for example, sets it; --timezone Etc/UTC, if clocks there show UTC."
        )
    listen = there.get("web", {}).get("listen", answers.web)
    if listen != answers.web:
        places.notes.append(
            f"{places.at(SETTINGS)} lets the dashboard listen on {listen}, and nginx asks {answers.web}: run this with "
            "--web and the one you mean."
        )


def superfluous_services(places: Places, answers: Answers) -> list[Path]:
    """Files of recognition services of an earlier run that this machine should not run any more."""
    wanted = {f"serve-{number}.env" for number in range(1, len(answers.own_services) + 1)}
    return [path for path in sorted(places.at("/etc/attendance").glob("serve-*.env")) if path.name not in wanted]


def has_trial_certificate(places: Places) -> bool:
    """Whether the certificate in use is of a trial's authority, which lies beside it."""
    folder = places.at(TLS)
    return is_signed_by(folder / "service.pem", folder / "service.key", folder / "ca.pem")


def place_certificates(places: Places, answers: Answers, wishes: Wishes, release: Path) -> None:
    """Copy the given certificate; without one make one for a trial, or renew the trial's in its last week."""
    folder = places.at(TLS)
    if wishes.certificate is not None and wishes.key is not None:
        places.write(f"{TLS}/service.pem", wishes.certificate.read_text(encoding="ascii"))
        places.write(f"{TLS}/service.key", wishes.key.read_text(encoding="ascii"), mode=0o600)
    elif not (folder / "service.pem").exists():
        run_attendance(places, release, "tls", "make-test-ca", str(folder), "--host", answers.host, as_user=False)
        places.changes.append(f"made certificates for a trial, good for 30 days, in {folder}")
    elif has_trial_certificate(places):
        words = ("tls", "renew-trial", str(folder), "--host", answers.host)
        said = run_attendance(places, release, *words, as_user=False).strip()
        if said != "Nothing to renew.":
            places.changes.append(said)
    if has_trial_certificate(places):
        for name in ("ca.pem", "service.pem"):  # the doctor's account reads them, to say how long they are good
            (folder / name).chmod(0o644)


def examine_certificates(places: Places, release: Path) -> None:
    """Note what is wrong with the certificate that is deployed, or soon will be; and with the one in use."""
    words = ["tls", "examine", *([] if places.real else ["--on-disk"])]
    try:
        said = run_attendance(places, release, *words, as_user=False)
    except InstallError as error:  # there is a problem, or it cannot be examined
        said = str(error).partition("tls examine")[2].partition(": ")[2]
    lines = said.splitlines()
    for number, line in enumerate(lines):
        if line.startswith(("WARNING", "PROBLEM", "Error")):
            remedy = lines[number + 1].strip() if lines[number + 1 :] else ""
            places.notes.append(f"{' '.join(line.split())} {remedy}".strip())


def write_units(places: Places) -> None:
    """Write systemd's units, and the command for operators."""
    for unit in sorted((SOURCE / "deploy" / "systemd").iterdir()):
        places.write(f"{_UNITS}/{unit.name}", places.fill(f"systemd/{unit.name}"))
    as_user = 'setpriv --reuid "$user" --regid "$user" --init-groups ' if places.real else ""
    places.write("/usr/local/bin/attendance", places.fill("attendance-command", AS_USER=as_user), mode=0o755)


def write_site(places: Places, answers: Answers) -> None:
    """Write the nginx site and the rotation of its logs."""
    site = places.fill(
        "nginx/attendance.conf",
        HOST=answers.host,
        WEB=answers.web,
        SERVICES="\n".join(f"    server {address} max_fails=1 fail_timeout=5s;" for address in answers.all_services),
        HTTP_PORT=str(answers.http_port),
        HTTPS_PORT=str(answers.https_port),
        GRPC_PORT=str(answers.grpc_port),
        ETC=str(places.at("/etc/attendance")),
        LOGS=str(places.at("/var/log/attendance")),
        STATIC=str(places.at("/opt/attendance/current/static")),
    )
    if not _has_ipv6():
        site = "".join(line for line in site.splitlines(keepends=True) if "listen [::]" not in line)
    places.write("/etc/nginx/sites-available/attendance", site)
    places.link("/etc/nginx/sites-enabled/attendance", Path("../sites-available/attendance"))
    tls = places.fill("nginx/nginx-tls.conf", ETC=str(places.at("/etc/attendance")))
    places.write("/etc/attendance/nginx-tls.conf", tls)
    places.write("/etc/logrotate.d/attendance", places.fill("logrotate/attendance"))
    if places.at(_DEFAULTS).is_symlink():  # Debian's welcome page, which would answer in place of the site
        places.remove(_DEFAULTS)


def missing_programs(answers: Answers) -> list[str]:
    """Debian packages that have to be installed first."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"
    needed = {"nginx": "nginx"} | ({"mariadb": "mariadb-server"} if answers.database else {})
    return [package for program, package in needed.items() if shutil.which(program, path=path) is None]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
