"""Settings of the recognition service."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, field_validator

from attendance.settings.section import Section


class TimeoutAction(StrEnum):
    """What becomes of a frame that waited past its deadline."""

    REJECT = "reject"
    DEFER = "defer"


class ServiceSettings(Section):
    """The recognition service."""

    name: str | None = Field(
        None,
        min_length=1,
        max_length=190,
        description="By which this service is told from others, e.g. where erasures are shown that it has not carried "
        "out. None: the machine's name and the port.",
    )
    listen: str = Field("127.0.0.1:50051", description="Address and port of the gRPC service; port 0 takes a free one.")
    tls_certificate: Path | None = Field(
        None, description="PEM certificate chain; with tls_key the service speaks TLS only."
    )
    tls_key: Path | None = Field(
        None, description="PEM private key of tls_certificate. Both files are read again when they change."
    )
    tls_client_ca: Path | None = Field(
        None, description="PEM certificate authority; set, only clients with a certificate that it signed may connect."
    )
    index_behind_proxy: bool = Field(
        False,
        description="Give the index to replicas whose calls come unencrypted from another address, too: only where a "
        "proxy takes TLS off in a network that nobody else is in, as in containers.",
    )
    metrics_listen: str = Field(
        "127.0.0.1:9464",
        description="Address and port of the Prometheus metrics; port 0 takes a free one, off serves none.",
    )
    aiming_listen: str = Field(
        "127.0.0.1:0",
        description="Address and port of the aiming view, which the dashboard asks for pictures while a camera is "
        "hung; port 0 takes a free one, off serves none. It speaks plain HTTP: use another address than this machine's "
        "own only in a network that nobody else hears.",
    )
    aiming_address: str | None = Field(
        None,
        max_length=255,
        pattern=r"^[^\s/@]+:[0-9]+$",
        description="Host and port at which the dashboard reaches aiming_listen. Default: the same; where that is "
        "every address of the machine, the machine's name and the port.",
    )
    max_batch: int = Field(8, ge=1, le=256, description="Most frames in one engine call.")
    max_delay_ms: int = Field(
        50, ge=0, le=10_000, description="Longest a frame waits for its batch to fill, in milliseconds."
    )
    max_queue: int = Field(
        64, ge=1, le=100_000, description="Most frames waiting; further ones are refused as overloaded."
    )
    frame_deadline_ms: int = Field(
        10_000,
        ge=100,
        le=600_000,
        description="A frame that waited longer than this is dropped before work is spent on it.",
    )
    timeout_action: TimeoutAction = Field(
        TimeoutAction.REJECT,
        description="What becomes of a frame at its deadline: reject drops it, defer moves it behind all others.",
    )
    replay_age_s: float = Field(
        60, gt=0, le=86_400, description="Frames captured longer ago than this go behind live ones."
    )
    max_clock_ahead_s: float = Field(
        60, gt=0, le=86_400, description="A frame captured further in the future than this is refused: a wrong clock."
    )
    max_clock_behind_s: float = Field(
        300,
        gt=0,
        le=86_400,
        description="A live frame captured longer ago than this is refused: a wrong clock. Recordings, and frames that "
        "a camera kept on its disk, say that they are no live ones.",
    )
    window: int = Field(
        4, ge=1, le=64, description="Frames one camera may have in flight; fewer while the queue is long."
    )
    max_camera_rate: float = Field(
        100, gt=0, le=10_000, description="Frames a second accepted of one camera, on average over two seconds."
    )
    max_streams: int = Field(1_000, ge=1, le=100_000, description="Cameras connected at once.")
    max_connections: int = Field(
        2_000, ge=1, le=100_000, description="Connections open at once, with or without token."
    )
    max_refusals: int = Field(
        30, ge=1, le=100_000, description="Calls a minute that one address may make with a wrong token or none."
    )
    max_message_bytes: int = Field(
        8_000_000,
        ge=10_000,
        le=100_000_000,
        description="Largest image accepted, in bytes; a message of more than twice that ends its call.",
    )
    decode_threads: int = Field(2, ge=1, le=64, description="Threads that decode JPEG.")
    smallest_face: int | None = Field(
        None,
        ge=8,
        le=10_000,
        description="Width in pixels of the smallest face wanted in cameras' frames, unless a camera has its own. What "
        "is searched is scaled by it: family dlib doubles frames once below 72 pixels, twice below 36; family opencv "
        "scales them up below 16, down from 24 on. From 160 on they are decoded at a half, a quarter or an eighth of "
        "their size, such that this face still has 80 pixels. Default: 36 with family dlib, 14 with opencv.",
    )
    skip_unchanged_s: float = Field(
        0,
        ge=0,
        le=60,
        description="A frame that shows what the camera's last examined frame showed is skipped, for at most so many "
        "seconds; 0 examines every frame. See docs/performance.md for what it costs and saves.",
    )
    full_look_s: float = Field(
        0,
        ge=0,
        le=60,
        description="Of a camera's frames only what has changed is searched for faces, with a margin, and at least "
        "once in so many seconds all of it; 0 searches every frame whole. Faces around which nothing has changed are "
        "where they were, and count as before. See docs/performance.md for what it saves.",
    )
    tracing_endpoint: SecretStr | None = Field(
        None,
        description="URL of an OpenTelemetry collector (OTLP over HTTP) that is sent a trace of each frame. Needs the "
        "package's extra tracing. A secret, because it may hold a password. Default: nothing is traced.",
    )
    tracing_ratio: float = Field(0.01, ge=0, le=1, description="Share of the frames traced.")
    outbox: Path | None = Field(
        None, description="SQLite file of confirmed, not yet committed sightings. Default: in the data folder."
    )
    timetable_refresh_s: float = Field(
        5, gt=0, le=3600, description="How often rooms, sessions and rosters are read again."
    )
    close_interval_s: float = Field(
        5, gt=0, le=3600, description="How often ended sessions are closed (absences written)."
    )
    drain_s: float = Field(
        20, ge=0, le=600, description="Longest wait for frames in flight when the service is stopped, in seconds."
    )

    @field_validator("tracing_endpoint")
    @classmethod
    def _over_http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value
