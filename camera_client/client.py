"""A camera's life with the recognition service: call, call again, until the source ends or the program is to stop."""

import asyncio
import contextlib
import random
import threading

import grpc
import structlog

from attendance.errors import AttendanceError
from camera_client.connection import ConnectError, Connection
from camera_client.frames import FrameSource, SourceError
from camera_client.run import Run
from camera_client.stream import REFUSALS, FrameStream, GaveUpError, StreamError
from protos.attendance.v1 import attendance_pb2_grpc as pb_grpc

# Until a person changes something, asking again is of little use; a minute keeps the log readable.
_REFUSED_WAIT_S = 60.0
# A service that names an hour may have meant it, or not; cameras should not stay away longer than a short break.
_LONGEST_NAMED_WAIT_S = 600.0
# Cameras that were all told the same delay should not come back in the same moment.
_SPREAD = 0.25

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class RefusedError(AttendanceError):
    """The service does not let this camera in until a person changes something; the message says what to do."""


class CameraClient:
    """Streams what waits in `run.waiting` to the service, over as many calls as that takes."""

    def __init__(
        self, connection: Connection, run: Run, *, patient: bool = True, refused_wait_s: float = _REFUSED_WAIT_S
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            connection: the way to the service.
            run: what the calls share.
            patient: when the service refuses the camera, try again slowly, since a person may change that; otherwise
                that is an error.
            refused_wait_s: the mean wait before trying again after a refusal, seconds.
        """
        self._connection = connection
        self._run = run
        self._patient = patient
        self._refused_wait_s = refused_wait_s
        self._rng = random.SystemRandom()

    def stop(self) -> None:
        """End soon: send no more, half-close the stream, wait a little for the last answers."""
        self._run.stopping.set()
        self._run.waiting.close()

    async def stream(self) -> None:
        """Stream until the source has ended and every frame is dealt with, or `stop` is called.

        Raises:
            GaveUpError: nothing succeeded for longer than the user wants to wait.
            RefusedError: the service refuses the camera, and the client is not patient.
        """
        while not self._run.stopping.is_set() and not self._run.waiting.finished:
            wait = await self._call_once()
            if wait is None or self._run.waiting.finished:
                continue
            if self._run.given_up:
                raise self._gave_up()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._run.stopping.wait(), wait)

    async def _call_once(self) -> float | None:
        """Make one call; the seconds to wait before the next, or None when the work is done."""
        run = self._run
        try:
            async with self._connection.open_channel() as channel:
                stub = pb_grpc.RecognitionServiceStub(channel)  # type: ignore[no-untyped-call]
                closing = await FrameStream(stub.StreamFrames(metadata=self._connection.metadata()), run).converse()
        except ConnectError as error:
            return self._refused(str(error))
        except StreamError as error:
            run.spool_from_now(error.code not in REFUSALS)
            advice = _advice(error, run.camera, self._connection)
            return self._failed(error) if advice is None else self._refused(advice)
        except GaveUpError:
            raise self._gave_up() from None
        if closing is None:
            return None
        named = min(closing.reconnect_after.ToTimedelta().total_seconds(), _LONGEST_NAMED_WAIT_S)
        # The backoff grows while calls end without an answer, so that a service in a loop of closing is not hammered.
        wait = max(named * (1 + self._rng.uniform(0, _SPREAD)), run.backoff.next_wait())
        log.warning("service_closes_stream", reason=run.clean(closing.reason), retry_in_s=round(wait, 2))
        return wait

    def _gave_up(self) -> GaveUpError:
        failed = "has dealt with no frame" if self._run.counts.connections else "could not be reached"
        waited = self._run.limits.give_up_s
        return GaveUpError(f"the service at {self._connection.address} {failed} for {waited:g} s: gave up")

    def _failed(self, error: StreamError) -> float:
        self._run.trouble()
        self._run.counts.failures += 1
        wait = self._run.backoff.next_wait()
        log.warning(
            "service_unreachable",
            server=self._connection.address,
            code=error.code.name,
            reason=error.details,
            attempt=self._run.backoff.failures,
            retry_in_s=round(wait, 2),
        )
        return wait

    def _refused(self, advice: str) -> float:
        if not self._patient:
            raise RefusedError(advice)
        self._run.counts.failures += 1
        wait = self._rng.uniform(0.5, 1.5) * self._refused_wait_s
        log.error("camera_refused", server=self._connection.address, advice=advice, retry_in_s=round(wait, 2))
        return wait


# What a person must do, by the status with which the service refuses a camera.
_ADVICE = {
    grpc.StatusCode.UNAUTHENTICATED: (
        "the token is unknown or revoked; use the one that `attendance camera add` printed, or make a new one with "
        "`attendance camera rotate {camera}`"
    ),
    grpc.StatusCode.PERMISSION_DENIED: (
        "the token does not belong to the camera {camera!r}; the name (setting ATTENDANCE_CAMERA_NAME or --name) must "
        "be the one that the token was made for, and the token a camera's"
    ),
    grpc.StatusCode.FAILED_PRECONDITION: (
        "the camera may stand in no room; put it in one on the dashboard's page of cameras, or with "
        "`attendance camera move {camera}`"
    ),
    grpc.StatusCode.UNIMPLEMENTED: (
        "this is no recognition service, or one of another version; check ATTENDANCE_CAMERA_SERVER, and update the "
        "older side"
    ),
    grpc.StatusCode.INVALID_ARGUMENT: "the service does not understand this camera; update the older side",
}


def _advice(error: StreamError, camera: str, connection: Connection) -> str | None:
    """What a person must do before trying again can help; None when waiting may help by itself."""
    advice = _ADVICE.get(error.code)
    # gRPC has no status for it: OpenSSL's CERTIFICATE_VERIFY_FAILED, or "Hostname Verification Check failed".
    if advice is None and connection.encrypted and "verif" in error.details.lower():
        advice = (
            "its certificate is not signed by the authority in ATTENDANCE_CAMERA_TLS_CA, has expired, or is for "
            "another name"
        )
    if advice is None:
        return None
    return f'the service at {connection.address} says "{error.details}": {advice.format(camera=camera)}'


class CaptureThread(threading.Thread):
    """Iterates a source into the waiting frames, in a thread of its own, because sources block."""

    def __init__(self, source: FrameSource, run: Run, *, most_frames: int | None = None) -> None:
        """Prepare the thread.

        Args:
            source: where frames come from.
            run: whose frames wait to be sent.
            most_frames: end after so many.
        """
        # A driver can hang where nothing can interrupt it; such a thread must not keep the program alive.
        super().__init__(name="capture", daemon=True)
        self._source = source
        self._waiting = run.waiting
        self._most_frames = most_frames
        self._stop_asked = threading.Event()
        self.error: str | None = None

    def stop(self) -> None:
        """End soon."""
        self._stop_asked.set()

    def run(self) -> None:
        """Capture until the source ends; `error` then holds a sentence if it ended badly."""
        try:
            for number, frame in enumerate(self._source.frames(self._stop_asked), start=1):
                if not self._waiting.put(frame) or number == self._most_frames:
                    break
        except SourceError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("capture_failed", source=self._source.name)
            self.error = f"{self._source.name}: capturing failed ({type(error).__name__}); the log says where"
        finally:
            self._waiting.finish()
