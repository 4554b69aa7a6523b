"""Having the operating system run the standalone camera: systemd on Linux, a scheduled task on Windows."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from attendance.errors import AttendanceError

_PROGRAM = Path("usr/local/bin/attendance-camera")
_FOLDER = Path("etc/attendance-camera")
_UNIT = Path("etc/systemd/system/attendance-camera.service")
_TASK = "Attendance camera"

# systemd hands the file of settings, which holds the token, to an account that exists only while the camera runs.
UNIT_TEXT = """\
[Unit]
Description=Class attendance: camera
After=network-online.target time-sync.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/local/bin/attendance-camera
LoadCredential=camera.toml:/etc/attendance-camera/camera.toml
Environment=ATTENDANCE_CONFIG=%d/camera.toml
DynamicUser=yes
SupplementaryGroups=video
StateDirectory=attendance-camera
StateDirectoryMode=0700
# The program unpacks itself there.
PrivateTmp=yes
Restart=always
RestartSec=5
TimeoutStopSec=30
MemoryMax=1G
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


class ServiceInstallError(AttendanceError):
    """The service cannot be installed; the message is one sentence for a person."""


def install_service(program: Path, config: Path, *, root: Path | None = None) -> list[str]:
    """Install the camera as a service that starts with the machine. A second time changes nothing.

    Args:
        program: the program, one file.
        config: its file of settings.
        root: write into this folder, the root of another system, and start nothing. Linux only.

    Returns:
        What was done, a line each.

    Raises:
        ServiceInstallError: there is no file of settings, the account may not, or the system refuses.
    """
    if not config.is_file():
        raise ServiceInstallError(f"there is no {config}: start the camera once, or run it with --setup")
    if sys.platform == "win32":
        return _install_task(program, config)
    umask = os.umask(0o022)  # units and programs are for all to read; what is not says so
    try:
        done = _install_unit(program, config, root or Path("/"))
    except OSError as error:
        raise ServiceInstallError(f"cannot write {error.filename}: {error.strerror}; run it as root (sudo)") from None
    finally:
        os.umask(umask)
    if root is None:
        _call(["systemctl", "daemon-reload"])
        _call(["systemctl", "enable", "--now", "attendance-camera.service"])
        done.append("It runs, and starts with the machine. Its log: journalctl -u attendance-camera")
    return done


def _install_unit(program: Path, config: Path, root: Path) -> list[str]:
    settings, authority = _read(config)
    (root / _FOLDER).mkdir(parents=True, exist_ok=True)
    (root / _FOLDER).chmod(0o700)
    settings_file = root / _FOLDER / "camera.toml"
    if authority:
        # The service's account sees no home folder; a certificate is no secret.
        kept = Path("etc/ssl/certs/attendance-camera-ca.pem")
        _copy(config.parent / authority, root / kept, 0o644)
        settings = settings.replace(f'tls_ca = "{authority}"', f'tls_ca = "/{kept}"')
    if not (settings_file.exists() and settings_file.samefile(config)):
        settings_file.touch(mode=0o600)
        settings_file.chmod(0o600)
        settings_file.write_text(settings, encoding="utf-8")
    _copy(program, root / _PROGRAM, 0o755)
    (root / _UNIT).parent.mkdir(parents=True, exist_ok=True)
    (root / _UNIT).write_text(UNIT_TEXT, encoding="utf-8")
    return [f"Installed /{_PROGRAM}", f"Installed /{_FOLDER}/camera.toml", f"Installed /{_UNIT}"]


def _read(config: Path) -> tuple[str, str]:
    """The file of settings, and the certificate authority that it names, if any."""
    try:
        text = config.read_text(encoding="utf-8")
        camera = tomllib.loads(text).get("camera")
    except ValueError as error:  # not UTF-8, or not TOML
        raise ServiceInstallError(
            f"{config} is damaged: {error}. Run the camera with --setup to write it anew"
        ) from None
    authority = camera.get("tls_ca") if isinstance(camera, dict) else None
    return text, authority if isinstance(authority, str) else ""


def _copy(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not (target.exists() and target.samefile(source)):
        # Beside it first: a program that runs cannot be written over.
        new = target.with_name(f".{target.name}.new")
        shutil.copyfile(source, new)
        new.chmod(mode)
        new.replace(target)


def _install_task(program: Path, config: Path) -> list[str]:
    """Windows; written from its documentation, and not tested on one.

    https://learn.microsoft.com/windows-server/administration/windows-commands/schtasks-create
    """
    action = f'"{program}" --config "{config}"'
    _call(["schtasks", "/Create", "/F", "/TN", _TASK, "/SC", "ONSTART", "/RU", "SYSTEM", "/TR", action])
    _call(["schtasks", "/Run", "/TN", _TASK])
    return [f"Installed the scheduled task {_TASK!r}, which starts with the machine (not tested on Windows)."]


def _call(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - fixed programs
    except OSError as error:
        raise ServiceInstallError(f"{command[0]} cannot be run: {error.strerror}") from None
    except subprocess.CalledProcessError as error:
        raise ServiceInstallError(
            f"{' '.join(command[:2])} failed: {error.stderr.strip() or error.stdout.strip()}"
        ) from None
