"""The programs of this machine, by the addresses at which they should listen."""

import re
import socket
from dataclasses import dataclass

from attendance.settings import Settings
from attendance.settings.files import settings_file

_TIMEOUT_S = 3


@dataclass(frozen=True, slots=True)
class Program:
    """One of them.

    Attributes:
        name: for people.
        address: host and port.
        command: starts it.
    """

    name: str
    address: str
    command: str

    @property
    def listens(self) -> bool:
        """Whether somebody takes connections at its address."""
        host, _, port = self.address.rpartition(":")
        host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))  # noqa: S104 - what is listened on
        try:
            socket.create_connection((host, int(port)), timeout=_TIMEOUT_S).close()
        except (OSError, ValueError):
            return False
        return True


def programs_here(settings: Settings) -> list[Program]:
    """The recognition services and the dashboard that this machine should run."""
    services = _service_addresses() or [settings.service.listen]
    return [
        *(Program("service", address, "attendance serve") for address in services),
        Program("dashboard", settings.web.listen, "attendance web"),
    ]


def _service_addresses() -> list[str]:
    """Where several services of one machine listen: each has a file of its own beside the settings."""
    config = settings_file()
    if config is None:
        return []
    text = "\n".join(file.read_text() for file in sorted(config.parent.glob("serve-*.env")))
    return re.findall(r"^ATTENDANCE_SERVICE_LISTEN=(\S+)$", text, re.MULTILINE)
