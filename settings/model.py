"""Every setting of the system, with its type, bounds, default and meaning.

A setting `key` of section `section` is the environment variable `ATTENDANCE_<SECTION>_<KEY>` or `key` under
`[section]` in the TOML file. Wrong values and unknown names are refused at start.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class LogFormat(StrEnum):
    """How log events are written: for people at a terminal, or one JSON object a line for machines."""

    CONSOLE = "console"
    JSON = "json"


class EngineName(StrEnum):
    """The engines that `face_engine` can build."""

    ACCELERATED = "accelerated"
    REFERENCE = "reference"


class EngineRuntime(StrEnum):
    """What runs the accelerated engine's networks."""

    AUTO = "auto"
    OPENVINO = "openvino"
    ONNXRUNTIME = "onnxruntime"
    CUDA = "cuda"
    TENSORRT = "tensorrt"


class Precision(StrEnum):
    """In what arithmetic the accelerated engine searches for faces; what it finds is decided in float32."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    INT8 = "int8"
    FP16 = "fp16"


class EncoderPrecision(StrEnum):
    """In what arithmetic the accelerated engine encodes faces."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class TimeoutAction(StrEnum):
    """What becomes of a frame that waited past its deadline."""

    REJECT = "reject"
    DEFER = "defer"


class Detector(StrEnum):
    """dlib's two face detectors: the convolutional one, and the older histogram-of-gradients one."""

    CNN = "cnn"
    HOG = "hog"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class InstitutionSettings(_Section):
    """Who runs the system."""

    name: str = Field("Class attendance", min_length=1, max_length=120, description="Shown at the top of every page.")
    timezone: str = Field("UTC", description="IANA zone in which times are shown and typed, e.g. Europe/Warsaw.")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is no IANA time zone (e.g. Europe/Warsaw)") from error
        return value


class DataSettings(_Section):
    """Where the system keeps its files."""

    directory: Path = Field(Path("attendance-data"), description="Folder of the database, store, index and outbox.")


class DatabaseSettings(_Section):
    """The shared database."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy address, e.g. mysql+pymysql://user:password@host/name. Default: SQLite in data.",
    )
    pool_size: int = Field(5, ge=1, le=100, description="Connections kept open by one process (MySQL and MariaDB).")


class EngineSettings(_Section):
    """How faces are found and encoded."""

    name: EngineName = Field(
        EngineName.ACCELERATED,
        description="accelerated (dlib's models in an inference runtime) or reference (dlib itself: slow).",
    )
    detector: Detector = Field(
        Detector.CNN, description="cnn; the reference engine also has hog, cheaper there and blind to turned faces."
    )
    upsample: int = Field(
        1, ge=0, le=3, description="Times a frame is doubled before detection, unless its camera says otherwise."
    )
    max_pixels: int = Field(
        16_000_000, ge=10_000, le=200_000_000, description="Largest image accepted, in pixels (width x height)."
    )
    runtime: EngineRuntime = Field(
        EngineRuntime.AUTO,
        description="Accelerated engine: openvino or onnxruntime (CPU), cuda or tensorrt (NVIDIA GPU), or auto.",
    )
    precision: Precision = Field(
        Precision.AUTO,
        description="Accelerated engine: arithmetic of the search for faces; auto: the fastest the processor has.",
    )
    encoder_precision: EncoderPrecision = Field(
        EncoderPrecision.FP32,
        description="Accelerated engine: fp32 gives dlib's encodings; bf16 and fp16 are faster and off by up to 0.015.",
    )
    threads: int = Field(
        0, ge=0, le=256, description="Accelerated engine: threads of the runtime on a CPU; 0: one a core."
    )
    work_pixels: int = Field(
        16_000_000,
        ge=1_000_000,
        le=1_000_000_000,
        description="Accelerated engine: bounds memory, about 40 bytes for each of these pixels; more is split.",
    )
    cache: Path | None = Field(
        None, description="Accelerated engine: folder of converted models. Default: in the user's cache folder."
    )
    embedding: Path | None = Field(
        None,
        description="Accelerated engine: an ONNX face embedding model (ArcFace family, 112 x 112) in place of dlib's.",
    )

    def arguments(self) -> dict[str, Any]:
        """What `face_engine.factory.create_engine` takes, by name."""
        common = {"name", "detector", "upsample", "max_pixels"}
        chosen = self.model_dump(include=common) if self.name is EngineName.REFERENCE else self.model_dump()
        return {key: value.value if isinstance(value, StrEnum) else value for key, value in chosen.items()}


class GallerySettings(_Section):
    """The enrolled students' encodings and the index built from them."""

    store: Path | None = Field(
        None, description="Pickle store of encodings. Default: gallery/encodings.pickle in the data folder."
    )
    index: Path | None = Field(
        None, description="Folder of published indexes. Default: gallery/index in the data folder."
    )


class MatchingSettings(_Section):
    """When a face is a student, and when a student is present."""

    threshold: float = Field(
        0.55, gt=0, le=2, description="Largest Euclidean distance at which a face may be a student of the roster."
    )
    campus_threshold: float = Field(
        0.5, gt=0, le=2, description="The same for a search among all enrolled students (Recognize, not-on-roster)."
    )
    margin: float = Field(0.04, ge=0, le=1, description="How much nearer the best student must be than the runner-up.")
    vote_span: float = Field(
        0.05,
        gt=0,
        le=1,
        description="A face nearer than the threshold by this much is one whole vote; between the two, a part of one.",
    )
    vote_interval_s: float = Field(
        0.25,
        ge=0,
        le=60,
        description="Frames of a face nearer in time than this are one piece of evidence, however many they are.",
    )
    confirm_frames: int = Field(
        3, ge=1, le=50, description="Votes of one face that confirm a student; at least as many frames."
    )
    confirm_share: float = Field(
        0.6, gt=0.5, le=1, description="Share of a face's votes that must be for the student who is confirmed."
    )
    track_gap_s: float = Field(
        3.0, gt=0, le=60, description="How long a face may be out of sight and still go on as the same track."
    )
    rejoin_distance: float = Field(
        0.45,
        ge=0,
        le=1,
        description="Largest Euclidean distance at which faces of one stream are one person wherever they appear.",
    )
    last_seen_interval_s: float = Field(
        30, ge=0, le=3600, description="How often the last sighting of a present student is stored."
    )


class ServiceSettings(_Section):
    """The recognition service."""

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
    metrics_listen: str = Field(
        "127.0.0.1:9464",
        description="Address and port of the Prometheus metrics; port 0 takes a free one, off serves none.",
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


class CameraSettings(_Section):
    """The camera client."""

    server: str = Field("127.0.0.1:50051", description="Address and port of the recognition service.")
    name: str | None = Field(None, description="The camera's name, as `attendance camera add` was given it.")
    token: SecretStr | None = Field(None, description="The camera's token, as `attendance camera add` printed it.")
    token_file: Path | None = Field(
        None, description="File that holds the token alone; read again at every connection. Used when token is not set."
    )
    tls_ca: Path | None = Field(
        None, description="PEM certificate authority of the service; set, the camera speaks TLS."
    )
    allow_plaintext: bool = Field(
        False, description="Send the token and faces unencrypted to a service on another machine."
    )
    source: SecretStr | None = Field(
        None,
        description="Webcam number, rtsp:// or http:// address, video file or folder of images. "
        "A secret, because an address may hold the password of a network camera.",
    )
    webcam_width: int = Field(1280, ge=160, le=16_384, description="Width asked of a webcam, in pixels.")
    webcam_height: int = Field(720, ge=120, le=16_384, description="Height asked of a webcam, in pixels.")
    rate: float = Field(2.0, gt=0, le=60, description="Frames sampled a second.")
    quality: int = Field(90, ge=30, le=100, description="JPEG quality.")
    max_width: int | None = Field(
        None, ge=160, le=16_384, description="Wider frames are scaled down to this many pixels."
    )
    max_frame_bytes: int = Field(
        4_000_000,
        ge=10_000,
        le=100_000_000,
        description="Larger JPEGs are compressed further; keep it below the service's max_message_bytes.",
    )
    answer_timeout_s: float = Field(
        60, ge=1, le=3600, description="A connection that leaves a frame unanswered for this long is replaced."
    )
    resend_limit: int = Field(
        20, ge=0, le=10_000, description="Times one frame is sent again when no frame may be lost (files played fast)."
    )
    spool: bool = Field(
        True, description="Keep frames on disk while the service is away, and send them when it is back (live cameras)."
    )
    spool_directory: Path | None = Field(
        None, description="Folder of the spools. Default: camera-spool in systemd's state directory, or in data."
    )
    spool_bytes: int = Field(
        500_000_000,
        ge=10_000,
        le=1_000_000_000_000,
        description="Most that a spool takes of the disk; old frames are thinned out to make room for new ones.",
    )
    spool_free_bytes: int = Field(
        500_000_000, ge=0, le=1_000_000_000_000_000, description="Least that a spool leaves free on its disk, in bytes."
    )
    spool_age_h: float = Field(
        24, gt=0, le=720, description="Hours after which a spooled frame is deleted, sent or not. They show people."
    )
    spool_rate: float = Field(
        2.0, gt=0, le=1000, description="Most spooled frames sent a second, behind those that are captured meanwhile."
    )


class WebSettings(_Section):
    """The dashboard."""

    listen: str = Field("127.0.0.1:8000", description="Address and port of the dashboard.")
    workers: int = Field(2, ge=1, le=64, description="gunicorn worker processes.")
    threads: int = Field(
        16, ge=2, le=256, description="Threads of each worker; a register that is watched live holds one."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs sessions, 32 characters or more. Default: made once and kept in the data folder.",
    )
    secure_cookies: bool = Field(False, description="Send cookies over HTTPS only; set it behind TLS.")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="Reverse proxies in front whose X-Forwarded-* headers are believed."
    )
    signin_hours: int = Field(12, ge=1, le=720, description="Hours after which a lecturer signs in again.")

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:  # noqa: PLR2004 - the sentence names the bound
            raise ValueError("must have 32 characters or more")
        return value


class RetentionSettings(_Section):
    """How long things are kept; `attendance purge` deletes what is older. 0: kept for ever."""

    evidence_days: int = Field(
        180, ge=0, le=36_500, description="Days that what confirmed a student (distances, times) is kept."
    )
    job_days: int = Field(30, ge=0, le=36_500, description="Days that reports of enrolments and erasures are kept.")
    attendance_days: int = Field(
        0, ge=0, le=36_500, description="Days after a class session that it and its attendance are kept."
    )


class LogSettings(_Section):
    """What the programs write about themselves."""

    level: str = Field("info", pattern="^(debug|info|warning|error)$", description="debug, info, warning or error.")
    format: LogFormat = Field(LogFormat.JSON, description="json (one object a line) or console.")


class Settings(_Section):
    """All sections; frozen once read."""

    institution: InstitutionSettings = InstitutionSettings()
    data: DataSettings = DataSettings()
    database: DatabaseSettings = DatabaseSettings()
    engine: EngineSettings = EngineSettings()
    gallery: GallerySettings = GallerySettings()
    matching: MatchingSettings = MatchingSettings()
    service: ServiceSettings = ServiceSettings()
    camera: CameraSettings = CameraSettings()
    web: WebSettings = WebSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()

    @property
    def database_url(self) -> str:
        """The SQLAlchemy address, SQLite in the data folder unless set. Holds the password: never log it."""
        if self.database.url is not None:
            return self.database.url.get_secret_value()
        return f"sqlite:///{self.data.directory.absolute() / 'attendance.db'}"

    @property
    def store_path(self) -> Path:
        """The pickle store of encodings."""
        return self.gallery.store or self.data.directory / "gallery" / "encodings.pickle"

    @property
    def index_path(self) -> Path:
        """The folder of published indexes."""
        return self.gallery.index or self.data.directory / "gallery" / "index"

    @property
    def outbox_path(self) -> Path:
        """The outbox's SQLite file."""
        return self.service.outbox or self.data.directory / "outbox.db"

    @property
    def outbox_paths(self) -> list[Path]:
        """The outboxes that are there: the configured one, and those of several services beside it (outbox-1.db)."""
        path = self.outbox_path
        beside = path.parent.glob(f"{path.stem}-*{path.suffix}")
        return sorted({*([path] if path.exists() else []), *beside})
