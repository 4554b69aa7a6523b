"""What systemd would start: the commands and environments of an installation's units, read from the files."""

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Unit:
    """One instance of a unit file.

    Attributes:
        path: the file; a template's ends with `@.service`.
        instance: what stands for %i.
    """

    path: Path
    instance: str = ""

    @property
    def command(self) -> list[str]:
        """What ExecStart says."""
        (line,) = self.values("ExecStart")
        return shlex.split(line)

    @property
    def environ(self) -> dict[str, str]:
        """What Environment and then EnvironmentFile say; files win, as systemd has it, and with "-" may be missing."""
        words = [word for line in self.values("Environment") for word in shlex.split(line)]
        for file in self.values("EnvironmentFile"):
            path = Path(file.removeprefix("-"))
            lines = [] if file.startswith("-") and not path.exists() else path.read_text().splitlines()
            words += [shlex.split(line)[0] for line in lines if line and not line.startswith("#")]
        return dict(word.split("=", 1) for word in words)

    def values(self, key: str) -> list[str]:
        """Every value of a key of [Service], in order, with %i filled in."""
        found, section = [], ""
        for line in self.path.read_text().splitlines():
            if line.startswith("["):
                section = line
            elif section == "[Service]" and line.startswith(f"{key}="):
                found.append(line.partition("=")[2].replace("%i", self.instance))
        return found
