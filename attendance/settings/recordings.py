"""Settings of recorded lectures in bulk."""

from pathlib import Path

from pydantic import Field, SecretStr

from attendance.settings.section import Section


class RecordingsSettings(Section):
    """Recorded lectures in bulk (`attendance recordings run`)."""

    rate: float = Field(1.0, gt=0, le=30, description="Frames looked at for each second of a recording.")
    stretch_s: float = Field(
        60, ge=2, le=3600, description="Recordings are split at key frames into stretches of about so many seconds."
    )
    processes: int = Field(0, ge=0, le=1024, description="Processes of a run on this machine; 0: one a core.")
    settle_s: float = Field(
        60, ge=0, le=86_400, description="A file that was changed less than so many seconds ago is still being written."
    )
    token: SecretStr | None = Field(
        None,
        description="Token of an operator with the recorder role (`attendance token add`), who answers for recordings "
        "that are put into registers.",
    )
    token_file: Path | None = Field(None, description="File that holds that token alone. Used when token is not set.")
