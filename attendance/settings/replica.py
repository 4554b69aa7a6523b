"""Settings of a recognition service whose index comes from the machine that holds the store."""

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from attendance.settings.listening import host_of
from attendance.settings.section import Section


class ReplicaSettings(Section):
    """Where the index comes from, on a machine that does not hold the store. Either a service or a folder."""

    source: str | None = Field(
        None,
        description="Address and port of the recognition service on the machine that holds the store, by TLS: the "
        "index is fetched from there into gallery.index.",
    )
    token_file: Path | None = Field(
        None,
        description="File that holds a token of the role replica, alone (`attendance token add`); read at each call.",
    )
    tls_ca: Path | None = Field(
        None, description="PEM certificate authority of that service, e.g. /etc/ssl/certs/ca-certificates.crt."
    )
    folder: Path | None = Field(
        None,
        description="Instead of source: the folder of published indexes of that machine, mounted here; the index is "
        "copied from there into gallery.index.",
    )
    interval_s: float = Field(10, gt=0, le=3600, description="How often a newer index is asked for, in seconds.")

    @property
    def on(self) -> bool:
        """Whether the index comes from elsewhere."""
        return self.source is not None or self.folder is not None

    @field_validator("source")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and host_of(value) is None:
            raise ValueError("is no address and port, e.g. attendance.example.edu:50051")
        return value

    @model_validator(mode="after")
    def _go_together(self) -> "ReplicaSettings":
        if self.source is not None and self.folder is not None:
            raise ValueError("ATTENDANCE_REPLICA_SOURCE and ATTENDANCE_REPLICA_FOLDER are both set: set one of them")
        for name in ("token_file", "tls_ca") if self.source is not None else ():
            if getattr(self, name) is None:
                raise ValueError(
                    f"with a source, ATTENDANCE_REPLICA_{name.upper()} must be set too: the index is given to programs "
                    "with a token only, and by TLS only"
                )
        return self
