"""Keeps open streams and the database in step: revoked and moved cameras' streams end, last_seen_at is kept."""

import asyncio
import time
from collections.abc import Collection, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import grpc
import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, joinedload, sessionmaker

from attendance.database.models import ApiToken, Camera, TokenRole
from recognition_service.access.auth import CameraIdentity, TokenDirectory, camera_identity
from recognition_service.streams.camera_stream import CameraStream
from recognition_service.streams.hub import StreamHub
from recognition_service.streams.tools import StreamRefusedError

log = structlog.get_logger()


class CameraWatch:
    """Looks at the cameras with open streams, all in one query. A database that is away changes nothing."""

    def __init__(
        self,
        hub: StreamHub,
        tokens: TokenDirectory,
        sessions: sessionmaker[Session],
        executor: Executor,
        *,
        aiming_address: str | None = None,
        interval_s: float = 1.0,
        seen_every_s: float = 30.0,
    ) -> None:
        """Prepare.

        Args:
            hub: the open streams.
            tokens: told to forget what has changed.
            sessions: of the shared database.
            executor: where it is asked.
            aiming_address: at which the dashboard finds what these cameras see; None: nowhere.
            interval_s: from one look to the next, seconds.
            seen_every_s: how often a camera's `last_seen_at` is written at most, seconds.
        """
        self._hub = hub
        self._tokens = tokens
        self._sessions = sessions
        self._executor = executor
        self._aiming_address = aiming_address
        self._interval_s = interval_s
        self._seen_every_s = seen_every_s
        # When last_seen_at was last written, and of which stream, for a while.
        self._written: dict[int, tuple[float, CameraStream]] = {}
        self._blind: dict[int, datetime | None] = {}  # what was last written of cameras with open streams
        self._away = False

    async def watch(self) -> None:
        """Look for ever: at every interval, and when a stream opens."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval_s):
                    await self._hub.opened.wait()
            self._hub.opened.clear()
            try:
                await self.look()
            except Exception:  # streams go on as they are
                log.exception("camera_watch_failed")

    async def look(self) -> None:
        """End the streams of cameras that were revoked, moved or changed; write of the others when they were last seen.

        And since when they see nothing. Streams with an operator's token for recordings end when that one is revoked.
        Zones that were drawn anew are taken in, and the stream goes on.
        """
        streams = dict(self._hub.streams)
        self._blind = {camera_id: since for camera_id, since in self._blind.items() if camera_id in streams}
        if not streams:
            return
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._executor, self._read, list(streams))
            played = {hash for stream in streams.values() if (hash := stream.camera.recording_hash) is not None}
            revoked = await loop.run_in_executor(self._executor, self._revoked, played) if played else frozenset()
            for camera_id, stream in streams.items():
                self._compare(stream, found.get(camera_id), revoked)
            await loop.run_in_executor(self._executor, self._write_seen, self._heard(streams))
            await loop.run_in_executor(self._executor, self._write_blind, self._sights(streams))
        except SQLAlchemyError as error:
            if not self._away:
                log.warning("cameras_not_read_or_written", reason=type(error).__name__)
            self._away = True
        else:
            self._away = False

    def _heard(self, streams: Mapping[int, CameraStream]) -> list[int]:
        """The cameras heard of since their time was written, if that was long ago or of an earlier stream.

        Meanwhile it may have been at another service, which wrote its own address.
        """
        now = time.monotonic()
        self._written = {
            key: (since, stream)
            for key, (since, stream) in self._written.items()
            if now - since < self._seen_every_s and streams.get(key) is stream
        }
        heard = [key for key, stream in streams.items() if stream.heard and key not in self._written]
        for camera_id in heard:
            streams[camera_id].heard = False
            self._written[camera_id] = now, streams[camera_id]
        return heard

    def _sights(self, streams: Mapping[int, CameraStream]) -> dict[int, datetime | None]:
        """Since when cameras are blind, of those of which it is known and was not written so."""
        known = {camera_id: stream.sight for camera_id, stream in streams.items()}
        return {
            camera_id: sight.blind_since
            for camera_id, sight in known.items()
            if sight is not None and self._blind.get(camera_id, sight) != sight.blind_since
        }

    def _read(self, camera_ids: Collection[int]) -> dict[int, CameraIdentity]:
        with self._sessions() as db:
            cameras = db.scalars(sa.select(Camera).options(joinedload(Camera.room)).where(Camera.id.in_(camera_ids)))
            return {camera.id: camera_identity(camera) for camera in cameras}

    def _revoked(self, recording_hashes: Collection[str]) -> frozenset[str]:
        """Those of operators' tokens with which no recordings are played any more."""
        with self._sessions() as db:
            valid = sa.select(ApiToken.token_hash).where(
                ApiToken.token_hash.in_(recording_hashes), ApiToken.role == TokenRole.RECORDING
            )
            return frozenset(recording_hashes).difference(db.scalars(valid))

    def _write_seen(self, camera_ids: Collection[int]) -> None:
        if camera_ids:
            seen = {"last_seen_at": datetime.now(UTC), "aiming_address": self._aiming_address}
            with self._sessions.begin() as db:
                db.execute(sa.update(Camera).where(Camera.id.in_(camera_ids)).values(**seen))

    def _write_blind(self, sights: Mapping[int, datetime | None]) -> None:
        for camera_id, since in sights.items():
            with self._sessions.begin() as db:
                db.execute(sa.update(Camera).where(Camera.id == camera_id).values(blind_since=since))
            self._blind[camera_id] = since

    def _compare(self, stream: CameraStream, now: CameraIdentity | None, revoked: Collection[str]) -> None:
        admitted = stream.camera
        if admitted.recording_hash in revoked:
            self._tokens.forget(admitted.recording_hash)
            log.warning("stream_revoked", camera=admitted.name)
            stream.refuse(
                StreamRefusedError(
                    grpc.StatusCode.UNAUTHENTICATED, "the operator's token for recordings has been revoked"
                )
            )
        if now == admitted:
            return
        self._tokens.forget(admitted.token_hash)
        if now is not None and now == replace(admitted, zones=now.zones):
            stream.take_zones(now.zones)
            return
        if now is None or now.token_hash != admitted.token_hash:
            log.warning("stream_revoked", camera=admitted.name)
            stream.refuse(StreamRefusedError(grpc.StatusCode.UNAUTHENTICATED, "the camera's token has been revoked"))
        else:
            log.info("stream_of_changed_camera", camera=admitted.name, room=now.room)
            stream.close("the camera was moved or changed: connect again", 0.0)
