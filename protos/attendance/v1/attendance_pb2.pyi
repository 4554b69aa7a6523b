import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FrameOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FRAME_OUTCOME_UNSPECIFIED: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_RECOGNIZED: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_INVALID_IMAGE: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_TOO_LARGE: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_NO_SESSION: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_OVERLOADED: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_EXPIRED: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_UNAVAILABLE: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_INTERNAL_ERROR: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_INVALID_CAPTURE_TIME: _ClassVar[FrameOutcome]
    FRAME_OUTCOME_UNCHANGED: _ClassVar[FrameOutcome]

class Match(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATCH_UNSPECIFIED: _ClassVar[Match]
    MATCH_STUDENT: _ClassVar[Match]
    MATCH_UNKNOWN: _ClassVar[Match]
    MATCH_AMBIGUOUS: _ClassVar[Match]
    MATCH_NOT_ON_ROSTER: _ClassVar[Match]
    MATCH_TOO_SMALL: _ClassVar[Match]
    MATCH_FOLLOWED: _ClassVar[Match]
FRAME_OUTCOME_UNSPECIFIED: FrameOutcome
FRAME_OUTCOME_RECOGNIZED: FrameOutcome
FRAME_OUTCOME_INVALID_IMAGE: FrameOutcome
FRAME_OUTCOME_TOO_LARGE: FrameOutcome
FRAME_OUTCOME_NO_SESSION: FrameOutcome
FRAME_OUTCOME_OVERLOADED: FrameOutcome
FRAME_OUTCOME_EXPIRED: FrameOutcome
FRAME_OUTCOME_UNAVAILABLE: FrameOutcome
FRAME_OUTCOME_INTERNAL_ERROR: FrameOutcome
FRAME_OUTCOME_INVALID_CAPTURE_TIME: FrameOutcome
FRAME_OUTCOME_UNCHANGED: FrameOutcome
MATCH_UNSPECIFIED: Match
MATCH_STUDENT: Match
MATCH_UNKNOWN: Match
MATCH_AMBIGUOUS: Match
MATCH_NOT_ON_ROSTER: Match
MATCH_TOO_SMALL: Match
MATCH_FOLLOWED: Match

class StreamFramesRequest(_message.Message):
    __slots__ = ("camera", "sequence", "capture_time", "jpeg", "replayed", "recording")
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_TIME_FIELD_NUMBER: _ClassVar[int]
    JPEG_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    RECORDING_FIELD_NUMBER: _ClassVar[int]
    camera: str
    sequence: int
    capture_time: _timestamp_pb2.Timestamp
    jpeg: bytes
    replayed: bool
    recording: bool
    def __init__(self, camera: _Optional[str] = ..., sequence: _Optional[int] = ..., capture_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., jpeg: _Optional[bytes] = ..., replayed: _Optional[bool] = ..., recording: _Optional[bool] = ...) -> None: ...

class StreamFramesResponse(_message.Message):
    __slots__ = ("opened", "result", "closing")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    CLOSING_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    result: FrameResult
    closing: StreamClosing
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., result: _Optional[_Union[FrameResult, _Mapping]] = ..., closing: _Optional[_Union[StreamClosing, _Mapping]] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ("room", "window", "service_time")
    ROOM_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TIME_FIELD_NUMBER: _ClassVar[int]
    room: str
    window: int
    service_time: _timestamp_pb2.Timestamp
    def __init__(self, room: _Optional[str] = ..., window: _Optional[int] = ..., service_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class FrameResult(_message.Message):
    __slots__ = ("sequence", "outcome", "detail", "faces", "session_id", "latency", "window")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FACES_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    outcome: FrameOutcome
    detail: str
    faces: _containers.RepeatedCompositeFieldContainer[RecognizedFace]
    session_id: int
    latency: _duration_pb2.Duration
    window: int
    def __init__(self, sequence: _Optional[int] = ..., outcome: _Optional[_Union[FrameOutcome, str]] = ..., detail: _Optional[str] = ..., faces: _Optional[_Iterable[_Union[RecognizedFace, _Mapping]]] = ..., session_id: _Optional[int] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., window: _Optional[int] = ...) -> None: ...

class BoundingBox(_message.Message):
    __slots__ = ("left", "top", "right", "bottom")
    LEFT_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    BOTTOM_FIELD_NUMBER: _ClassVar[int]
    left: float
    top: float
    right: float
    bottom: float
    def __init__(self, left: _Optional[float] = ..., top: _Optional[float] = ..., right: _Optional[float] = ..., bottom: _Optional[float] = ...) -> None: ...

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class RecognizedFace(_message.Message):
    __slots__ = ("box", "score", "match", "student", "distance", "track", "confirmed")
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    MATCH_FIELD_NUMBER: _ClassVar[int]
    STUDENT_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_FIELD_NUMBER: _ClassVar[int]
    TRACK_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    box: BoundingBox
    score: float
    match: Match
    student: str
    distance: float
    track: int
    confirmed: bool
    def __init__(self, box: _Optional[_Union[BoundingBox, _Mapping]] = ..., score: _Optional[float] = ..., match: _Optional[_Union[Match, str]] = ..., student: _Optional[str] = ..., distance: _Optional[float] = ..., track: _Optional[int] = ..., confirmed: _Optional[bool] = ...) -> None: ...

class StreamClosing(_message.Message):
    __slots__ = ("reason", "reconnect_after")
    REASON_FIELD_NUMBER: _ClassVar[int]
    RECONNECT_AFTER_FIELD_NUMBER: _ClassVar[int]
    reason: str
    reconnect_after: _duration_pb2.Duration
    def __init__(self, reason: _Optional[str] = ..., reconnect_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RecognizeRequest(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    def __init__(self, image: _Optional[bytes] = ...) -> None: ...

class RecognizeResponse(_message.Message):
    __slots__ = ("faces", "width", "height", "index_version")
    FACES_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    INDEX_VERSION_FIELD_NUMBER: _ClassVar[int]
    faces: _containers.RepeatedCompositeFieldContainer[RecognizedFace]
    width: int
    height: int
    index_version: str
    def __init__(self, faces: _Optional[_Iterable[_Union[RecognizedFace, _Mapping]]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., index_version: _Optional[str] = ...) -> None: ...

class EncodeFacesRequest(_message.Message):
    __slots__ = ("image",)
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    def __init__(self, image: _Optional[bytes] = ...) -> None: ...

class EncodeFacesResponse(_message.Message):
    __slots__ = ("faces", "width", "height", "model")
    FACES_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    faces: _containers.RepeatedCompositeFieldContainer[EncodedFace]
    width: int
    height: int
    model: str
    def __init__(self, faces: _Optional[_Iterable[_Union[EncodedFace, _Mapping]]] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

class EncodedFace(_message.Message):
    __slots__ = ("box", "score", "landmarks", "encoding", "sharpness")
    BOX_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    LANDMARKS_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SHARPNESS_FIELD_NUMBER: _ClassVar[int]
    box: BoundingBox
    score: float
    landmarks: _containers.RepeatedCompositeFieldContainer[Point]
    encoding: _containers.RepeatedScalarFieldContainer[float]
    sharpness: float
    def __init__(self, box: _Optional[_Union[BoundingBox, _Mapping]] = ..., score: _Optional[float] = ..., landmarks: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., encoding: _Optional[_Iterable[float]] = ..., sharpness: _Optional[float] = ...) -> None: ...

class GetIndexRequest(_message.Message):
    __slots__ = ("have_version", "partial_version", "received")
    HAVE_VERSION_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    have_version: str
    partial_version: str
    received: _containers.RepeatedCompositeFieldContainer[ReceivedFile]
    def __init__(self, have_version: _Optional[str] = ..., partial_version: _Optional[str] = ..., received: _Optional[_Iterable[_Union[ReceivedFile, _Mapping]]] = ...) -> None: ...

class ReceivedFile(_message.Message):
    __slots__ = ("name", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    bytes: int
    def __init__(self, name: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class GetIndexResponse(_message.Message):
    __slots__ = ("offer", "chunk")
    OFFER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    offer: IndexOffer
    chunk: IndexChunk
    def __init__(self, offer: _Optional[_Union[IndexOffer, _Mapping]] = ..., chunk: _Optional[_Union[IndexChunk, _Mapping]] = ...) -> None: ...

class IndexOffer(_message.Message):
    __slots__ = ("version", "manifest", "manifest_sha256", "files")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    MANIFEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    version: str
    manifest: bytes
    manifest_sha256: str
    files: _containers.RepeatedCompositeFieldContainer[IndexFile]
    def __init__(self, version: _Optional[str] = ..., manifest: _Optional[bytes] = ..., manifest_sha256: _Optional[str] = ..., files: _Optional[_Iterable[_Union[IndexFile, _Mapping]]] = ...) -> None: ...

class IndexFile(_message.Message):
    __slots__ = ("name", "bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    bytes: int
    def __init__(self, name: _Optional[str] = ..., bytes: _Optional[int] = ...) -> None: ...

class IndexChunk(_message.Message):
    __slots__ = ("file", "offset", "data", "sha256")
    FILE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    file: str
    offset: int
    data: bytes
    sha256: bytes
    def __init__(self, file: _Optional[str] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("version", "started_at", "engine", "index", "outbox", "cameras_connected", "frames_waiting", "outcomes", "batches")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_FIELD_NUMBER: _ClassVar[int]
    CAMERAS_CONNECTED_FIELD_NUMBER: _ClassVar[int]
    FRAMES_WAITING_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    version: str
    started_at: _timestamp_pb2.Timestamp
    engine: EngineStatus
    index: IndexStatus
    outbox: OutboxStatus
    cameras_connected: int
    frames_waiting: int
    outcomes: _containers.RepeatedCompositeFieldContainer[OutcomeCount]
    batches: int
    def __init__(self, version: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., engine: _Optional[_Union[EngineStatus, _Mapping]] = ..., index: _Optional[_Union[IndexStatus, _Mapping]] = ..., outbox: _Optional[_Union[OutboxStatus, _Mapping]] = ..., cameras_connected: _Optional[int] = ..., frames_waiting: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[OutcomeCount, _Mapping]]] = ..., batches: _Optional[int] = ...) -> None: ...

class EngineStatus(_message.Message):
    __slots__ = ("name", "detector", "runtime", "device", "precision", "models")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DETECTOR_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    detector: str
    runtime: str
    device: str
    precision: str
    models: _containers.RepeatedCompositeFieldContainer[ModelFile]
    def __init__(self, name: _Optional[str] = ..., detector: _Optional[str] = ..., runtime: _Optional[str] = ..., device: _Optional[str] = ..., precision: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelFile, _Mapping]]] = ...) -> None: ...

class ModelFile(_message.Message):
    __slots__ = ("name", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    sha256: str
    def __init__(self, name: _Optional[str] = ..., sha256: _Optional[str] = ...) -> None: ...

class IndexStatus(_message.Message):
    __slots__ = ("version", "identities", "encodings", "model", "loaded_at")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IDENTITIES_FIELD_NUMBER: _ClassVar[int]
    ENCODINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    version: str
    identities: int
    encodings: int
    model: str
    loaded_at: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., identities: _Optional[int] = ..., encodings: _Optional[int] = ..., model: _Optional[str] = ..., loaded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OutboxStatus(_message.Message):
    __slots__ = ("depth", "oldest")
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    OLDEST_FIELD_NUMBER: _ClassVar[int]
    depth: int
    oldest: _duration_pb2.Duration
    def __init__(self, depth: _Optional[int] = ..., oldest: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class OutcomeCount(_message.Message):
    __slots__ = ("outcome", "frames")
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    outcome: FrameOutcome
    frames: int
    def __init__(self, outcome: _Optional[_Union[FrameOutcome, str]] = ..., frames: _Optional[int] = ...) -> None: ...
