"""The parts of the system that a machine may have or lack, and what its operator does about one that is missing."""

from typing import Literal

Part = Literal["camera", "database", "service", "web", "accuracy", "tracing", "ray", "all"]
"""As the extras in pyproject.toml."""

_IN_WORDS: dict[Part, str] = {
    "camera": "the camera client",
    "database": "what speaks to the database",
    "service": "the recognition service",
    "web": "the dashboard",
    "accuracy": "calibration and evaluation",
    "tracing": "OpenTelemetry, which makes traces,",
    "ray": "Ray",
    "all": "a part of the system",
}


def how_to_install(part: Part) -> str:
    """What to do where a part is missing: a sentence with the commands that README.md and docs/operations.md offer."""
    option = {"tracing": (" TRACING=1", " --tracing")}.get(part, ("", ""))
    if part == "ray":
        return (
            "Ray, which works on several machines, (extra ray) is not installed on this machine. `make install RAY=1` "
            "in the folder of the source installs it; docs/recordings.md says how on a server"
        )
    return (
        f"{_IN_WORDS[part]} (extra {part}) is not installed on this machine. `make install{option[0]}` in the folder "
        f"of the source installs it, and `sudo deploy/install{option[1]}` on a server"
    )
