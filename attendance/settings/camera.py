"""Settings of the camera client."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from attendance.settings.section import PathInside, Section

RECORDING_METADATA = "attendance-recording-token"
"""The metadata in which a camera's call carries the token of the operator who plays recordings."""

_FILE_OR_FOLDER = re.compile(r"(?!\d+$|[A-Za-z][A-Za-z0-9+.-]*://)(?P<path>.+)", re.DOTALL)
"""No webcam's number, and no address."""


class CameraSettings(Section):
    """The camera client."""

    server: str = Field("127.0.0.1:50051", description="Address and port of the recognition service.")
    name: str | None = Field(None, description="The camera's name, as `attendance camera add` was given it.")
    token: SecretStr | None = Field(None, description="The camera's token, as `attendance camera add` printed it.")
    token_file: Path | None = Field(
        None, description="File that holds the token alone; read again at every connection. Used when token is not set."
    )
    recording_token: SecretStr | None = Field(
        None,
        description="Token of an operator with the recording role (`attendance token add`): recordings count for "
        "sessions that are closed, too.",
    )
    recording_token_file: Path | None = Field(
        None, description="File that holds that token alone. Used when recording_token is not set."
    )
    tls_ca: Path | None = Field(
        None, description="PEM certificate authority of the service; set, the camera speaks TLS."
    )
    allow_plaintext: bool = Field(
        False, description="Send the token and faces unencrypted to a service on another machine."
    )
    source: Annotated[SecretStr | None, PathInside(_FILE_OR_FOLDER)] = Field(
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
