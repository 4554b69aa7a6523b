"""Who may call what: tokens looked up in the database, cached for seconds, and an interceptor that holds every call."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import grpc
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import all_token_hashes, api_token_of, camera_of, hash_token
from attendance.database.models import Camera, TokenRole
from attendance.settings.camera import RECORDING_METADATA
from recognition_service.access.guarding import CallRefusedError, Handler, guarded
from recognition_service.access.throttle import PeerThrottle
from recognition_service.errors import UnavailableError

SERVICE = "attendance.v1.RecognitionService"
OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.v1alpha.ServerReflection/")

_LONGEST_TOKEN = 512
_MOST_LOOKUPS = 64
_PATIENCE_S = 1.0
"""How long who is known waits for the database before the last answer counts: one that is frozen answers nobody."""
_DATABASE_AWAY = "the database cannot be reached to check the token; try again shortly"

log = structlog.get_logger()


class Caller(StrEnum):
    """Kinds of callers, as far as rights go."""

    CAMERA = "a camera"
    ENROLMENT = "an operator with the enrolment role"
    MONITORING = "an operator with the monitoring role"
    RECORDING = "an operator with the recording role"
    RECORDER = "an operator with the recorder role"
    REPLICA = "an operator with the replica role"


RIGHTS: Mapping[str, frozenset[Caller]] = {
    f"/{SERVICE}/StreamFrames": frozenset({Caller.CAMERA}),
    f"/{SERVICE}/Recognize": frozenset({Caller.ENROLMENT}),
    f"/{SERVICE}/EncodeFaces": frozenset({Caller.ENROLMENT}),
    f"/{SERVICE}/GetIndex": frozenset({Caller.REPLICA}),
    f"/{SERVICE}/GetStatus": frozenset(Caller),
}
"""Who may make which call; calls that are not listed nobody may make."""


@dataclass(frozen=True, slots=True)
class CameraIdentity:
    """A camera, as the database had it when its token was looked up."""

    id: int
    name: str
    room_id: int | None
    room: str | None
    upsample: int | None
    smallest_face: int | None
    token_hash: str | None = field(repr=False)
    zones: str | None = None
    """Where in its picture faces count, as `attendance.zones.parse` reads it."""
    recording_hash: str | None = field(default=None, repr=False, compare=False)
    """Of the operator's token that came with the call, if one did."""

    @property
    def caller(self) -> Caller:
        """The kind."""
        return Caller.CAMERA

    @property
    def plays_recordings(self) -> bool:
        """Whether what it calls a recording is taken for one: an operator answers for it."""
        return self.recording_hash is not None


@dataclass(frozen=True, slots=True)
class OperatorIdentity:
    """A program with an operator's token."""

    id: int
    name: str
    role: TokenRole

    @property
    def caller(self) -> Caller:
        """The kind."""
        return _CALLERS[self.role]


_CALLERS = {
    TokenRole.ENROLMENT: Caller.ENROLMENT,
    TokenRole.MONITORING: Caller.MONITORING,
    TokenRole.RECORDER: Caller.RECORDER,
    TokenRole.RECORDING: Caller.RECORDING,
    TokenRole.REPLICA: Caller.REPLICA,
}

Identity: TypeAlias = CameraIdentity | OperatorIdentity

_identity: ContextVar[Identity] = ContextVar("identity")


def current_identity() -> Identity:
    """Who makes the call that is being handled; set by the interceptor, which runs in the call's own task."""
    return _identity.get()


def camera_identity(camera: Camera) -> CameraIdentity:
    """What the service needs to know of a camera, read within the session that loaded it."""
    room = camera.room.name if camera.room else None
    return CameraIdentity(
        camera.id,
        camera.name,
        camera.room_id,
        room,
        camera.upsample,
        camera.smallest_face,
        camera.token_hash,
        camera.zones,
    )


class TokenDirectory:
    """Tokens and whose they are. Known answers outlive a database that is away; unknown tokens are never let in."""

    def __init__(
        self, sessions: sessionmaker[Session], executor: Executor, *, fresh_s: float = 5.0, most_kept: int = 4096
    ) -> None:
        """Prepare.

        Args:
            sessions: of the shared database.
            executor: where look-ups run.
            fresh_s: how long an answer is given without looking again, seconds.
            most_kept: answers kept; the one not asked for longest goes first.
        """
        self._sessions = sessions
        self._executor = executor
        self._fresh_s = fresh_s
        self._most_kept = most_kept
        self._answers: OrderedDict[str, tuple[Identity | None, float]] = OrderedDict()
        self._pending: dict[str, asyncio.Task[Identity | None]] = {}
        self._all_hashes = _AllHashes(sessions, executor, fresh_s)

    async def identity_of(self, token: str) -> Identity | None:
        """Whose token it is; None when nobody's.

        Raises:
            UnavailableError: the database cannot say, and has not said before.
        """
        if len(token) > _LONGEST_TOKEN:
            return None
        key = hash_token(token)
        known, since = self._answers.get(key, (None, float("-inf")))
        if time.monotonic() - since < self._fresh_s:
            self._answers.move_to_end(key)
            return known
        try:
            return await asyncio.wait_for(self._look_up(key, token), None if known is None else _PATIENCE_S)
        except (TimeoutError, UnavailableError):
            if known is None:
                raise
            return known

    async def may_be_right(self, token: str) -> bool:
        """Whether the token was somebody's at most `fresh_s` ago, or when it was last looked up.

        However many wrong tokens are asked for, the database is asked once every `fresh_s`: for the hashes of all.

        Raises:
            UnavailableError: the database cannot say, and has not said before.
        """
        if len(token) > _LONGEST_TOKEN:
            return False
        key = hash_token(token)
        if self._answers.get(key, (None, 0.0))[0] is not None:
            return True
        return key in await self._all_hashes.get()

    def forget(self, token_hash: str | None) -> None:
        """Ask the database again when the token comes next: something about it has changed."""
        self._answers.pop(token_hash or "", None)

    async def _look_up(self, key: str, token: str) -> Identity | None:
        task = self._pending.get(key)
        if task is None:
            if len(self._pending) >= _MOST_LOOKUPS:
                raise UnavailableError("too many tokens are being looked up; try again shortly")
            task = asyncio.create_task(self._ask_database(key, token))
            self._pending[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Shielded: a caller that goes away does not take the answer from the others who wait for it.
        return await asyncio.shield(task)

    def _forget(self, key: str, task: asyncio.Task[Identity | None]) -> None:
        del self._pending[key]
        if not task.cancelled():
            task.exception()  # all who waited may have gone; asyncio would call it forgotten

    async def _ask_database(self, key: str, token: str) -> Identity | None:
        try:
            identity = await asyncio.get_running_loop().run_in_executor(self._executor, self._read, token)
        except SQLAlchemyError as error:
            raise _cannot_say(error) from None
        self._answers[key] = (identity, time.monotonic())
        self._answers.move_to_end(key)
        while len(self._answers) > self._most_kept:
            self._answers.popitem(last=False)
        return identity

    def _read(self, token: str) -> Identity | None:
        with self._sessions() as db:
            camera = camera_of(db, token)
            if camera is not None:
                return camera_identity(camera)
            operator = api_token_of(db, token)
            return None if operator is None else OperatorIdentity(operator.id, operator.name, operator.role)


class _AllHashes:
    """The hashes of all tokens, read once every so often however many ask."""

    def __init__(self, sessions: sessionmaker[Session], executor: Executor, fresh_s: float) -> None:
        self._sessions = sessions
        self._executor = executor
        self._fresh_s = fresh_s
        self._hashes: frozenset[str] | None = None
        self._asked = float("-inf")
        self._lock = asyncio.Lock()

    async def get(self) -> frozenset[str]:
        """Those of at most `fresh_s` ago; older ones while the database is away.

        Raises:
            UnavailableError: the database cannot say, and has not said before.
        """
        async with self._lock:
            if time.monotonic() - self._asked >= self._fresh_s:
                self._asked = time.monotonic()  # a database that is away is not asked more often either
                try:
                    self._hashes = await asyncio.get_running_loop().run_in_executor(self._executor, self._read)
                except SQLAlchemyError as error:
                    _cannot_say(error)
            if self._hashes is None:
                raise UnavailableError(_DATABASE_AWAY)
            return self._hashes

    def _read(self) -> frozenset[str]:
        with self._sessions() as db:
            return all_token_hashes(db)


def _cannot_say(error: SQLAlchemyError) -> UnavailableError:
    log.warning("token_lookup_failed", reason=type(error).__name__)
    return UnavailableError(_DATABASE_AWAY)


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Lets a call through when its token may make it; only then is a message of it read."""

    def __init__(self, tokens: TokenDirectory, refused: Callable[[str], None], throttle: PeerThrottle) -> None:
        """Prepare.

        Args:
            tokens: who they belong to.
            refused: told of every call that is refused: no_token, wrong_token, no_right, too_many or malformed.
            throttle: of addresses that send wrong tokens, none, or messages that are none.
        """
        self._tokens = tokens
        self._refused = refused
        self._throttle = throttle

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """The call's handler, behind one of the same kind that first asks who calls."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = handler_call_details.method

        async def admit(peer: str) -> None:
            if not method.startswith(OPEN_TO_ALL):
                _identity.set(await self._admit(method, handler_call_details.invocation_metadata, peer))

        return guarded(handler, admit, lambda peer: self._count("malformed", "message_not_understood", method, peer))

    async def _admit(self, method: str, metadata: Sequence[tuple[str, str | bytes]] | None, peer: str) -> Identity:
        """Who calls, and may.

        Raises:
            CallRefusedError: nobody who may; counted against the address if the token is the fault.
        """
        token = _bearer_token(metadata)
        if token is None:
            self._count("no_token", "token_missing", method, peer)
            raise CallRefusedError(
                grpc.StatusCode.UNAUTHENTICATED, "no token: send the metadata `authorization: Bearer <token>` once"
            )
        identity = await self._owner_of(token, peer)
        if identity is None:
            self._count("wrong_token", "token_refused", method, peer)
            raise CallRefusedError(grpc.StatusCode.UNAUTHENTICATED, "the token is unknown or has been revoked")
        if identity.caller not in RIGHTS.get(method, frozenset()):
            self._refused("no_right")
            log.warning("call_refused", method=method, caller=identity.name)
            raise CallRefusedError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"the token is of {identity.caller}, which may not call {method.rpartition('/')[2]}",
            )
        if isinstance(identity, CameraIdentity) and (recording := _recording_token(metadata)) is not None:
            return await self._player(identity, recording, method, peer)
        return identity

    async def _owner_of(self, token: str, peer: str) -> Identity | None:
        """Whose token it is; None when nobody's.

        Raises:
            CallRefusedError: the address has sent too many wrong ones, and this is another; or the database cannot say.
        """
        try:
            # One bad camera behind a shared address does not keep those out whose tokens are right.
            if self._throttle.blocked(peer) and not await self._tokens.may_be_right(token):
                self._refused("too_many")
                raise CallRefusedError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    "too many calls with wrong tokens from this address; wait a minute",
                )
            return await self._tokens.identity_of(token)
        except UnavailableError as error:
            raise CallRefusedError(error.status, str(error)) from None

    async def _player(self, camera: CameraIdentity, token: str, method: str, peer: str) -> CameraIdentity:
        """The camera, for which an operator plays recordings.

        Raises:
            CallRefusedError: the operator's token is none of that role; counted and refused as any wrong token is.
        """
        operator = await self._owner_of(token, peer)
        if operator is None or operator.caller is not Caller.RECORDING:
            self._count("wrong_token", "recording_token_refused", method, peer)
            raise CallRefusedError(
                grpc.StatusCode.UNAUTHENTICATED,
                "the operator's token for recordings is unknown, revoked or of another role; make one with "
                "`attendance token add NAME --role recording`",
            )
        return replace(camera, recording_hash=hash_token(token))

    def _count(self, reason: str, event: str, method: str, peer: str) -> None:
        """Count a refusal against the address, and log it; the lines end with what the address may be refused."""
        self._refused(reason)
        if not self._throttle.blocked(peer):
            log.warning(event, method=method, peer=peer)
        self._throttle.count(peer)


def _recording_token(metadata: Sequence[tuple[str, str | bytes]] | None) -> str | None:
    values = [value for key, value in metadata or () if key == RECORDING_METADATA]
    return values[0].strip() if len(values) == 1 and isinstance(values[0], str) else None


def _bearer_token(metadata: Sequence[tuple[str, str | bytes]] | None) -> str | None:
    values = [value for key, value in metadata or () if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
