"""The watch over cameras, with streams that only remember what they are told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker
from structlog.testing import capture_logs

from attendance.database.access.tokens import hash_token
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import ApiToken, Camera, TokenRole
from recognition_service.access.auth import Caller, CameraIdentity, TokenDirectory
from recognition_service.evidence.observing import Sight
from recognition_service.streams.tools import StreamRefusedError
from recognition_service.streams.watch import CameraWatch
from tests.databases import make_tables
from tests.factories import make_camera, make_room

TOKEN = "cam_first"


@dataclass
class Stream:
    camera: CameraIdentity
    heard: bool = True
    sight: Sight | None = None
    closings: list[str] = field(default_factory=list)
    refusals: list[StreamRefusedError] = field(default_factory=list)

    def take_zones(self, text: str | None) -> None:
        self.camera = replace(self.camera, zones=text)

    def close(self, reason: str, reconnect_after_s: float) -> None:
        self.closings.append(reason)

    def refuse(self, error: StreamRefusedError) -> None:
        self.refusals.append(error)


@dataclass
class Bench:
    sessions: sessionmaker[Session]
    tokens: TokenDirectory
    watch: CameraWatch
    hub: Any

    async def open(self, token: str = TOKEN) -> Stream:
        identity = await self.tokens.identity_of(token)
        assert isinstance(identity, CameraIdentity)
        stream = Stream(identity)
        self.hub.streams[identity.id] = stream
        return stream

    def change(self, **values: Any) -> None:
        with self.sessions.begin() as db:
            db.execute(sa.update(Camera).where(Camera.name == "front").values(**values))

    def seen(self) -> bool:
        with self.sessions() as db:
            return db.scalars(sa.select(Camera.last_seen_at).where(Camera.name == "front")).one() is not None


@contextmanager
def bench_of(sessions: sessionmaker[Session]) -> Iterator[Bench]:
    with sessions.begin() as db:
        make_camera(db, name="front", room=make_room(db, "Hall"), token=TOKEN, upsample=1)
    hub: Any = SimpleNamespace(streams={})
    with ThreadPoolExecutor(1) as executor:
        tokens = TokenDirectory(sessions, executor, fresh_s=3600)
        yield Bench(sessions, tokens, CameraWatch(hub, tokens, sessions, executor, seen_every_s=3600), hub)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    engine = create_database_engine(f"sqlite:///{tmp_path / 'attendance.db'}")
    make_tables(engine)
    with bench_of(session_factory(engine)) as bench:
        yield bench
    engine.dispose()


async def test_an_unchanged_camera_is_left_alone_and_its_time_written(sessions: sessionmaker[Session]) -> None:
    with bench_of(sessions) as bench:
        stream = await bench.open()
        await bench.watch.look()
        assert (stream.closings, stream.refusals, stream.heard) == ([], [], False)
        assert bench.seen()


async def test_the_time_is_written_once_in_a_while(bench: Bench) -> None:
    stream = await bench.open()
    await bench.watch.look()
    bench.change(last_seen_at=None)
    stream.heard = True
    await bench.watch.look()
    assert not bench.seen()
    assert stream.heard


async def test_since_when_a_camera_is_blind_is_written_and_cleared(sessions: sessionmaker[Session]) -> None:
    with bench_of(sessions) as bench:
        since = datetime(2026, 11, 23, 9, 20, tzinfo=UTC)
        bench.change(blind_since=since - timedelta(days=1))  # by a service that was killed
        stream = await bench.open()

        async def blind(sight: Sight | None) -> datetime | None:
            stream.sight = sight
            await bench.watch.look()
            with bench.sessions() as db:
                return db.scalars(sa.select(Camera.blind_since).where(Camera.name == "front")).one()

        assert await blind(None) == since - timedelta(days=1)  # nothing is known yet
        assert await blind(Sight(None)) is None
        assert await blind(Sight(since)) == since
        assert await blind(Sight(None)) is None


async def test_a_silent_camera_is_not_seen(bench: Bench) -> None:
    stream = await bench.open()
    stream.heard = False
    await bench.watch.look()
    assert not bench.seen()


@pytest.mark.parametrize("change", [{"room_id": None}, {"upsample": 2}, {"name": "renamed"}], ids=str)
async def test_a_changed_camera_is_told_to_come_again(bench: Bench, change: dict[str, Any]) -> None:
    stream = await bench.open()
    bench.change(**change)
    await bench.watch.look()
    (reason,) = stream.closings
    assert "connect again" in reason
    changed = await bench.tokens.identity_of(TOKEN)
    assert changed not in (None, stream.camera)


async def test_zones_drawn_anew_are_handed_to_the_stream_which_goes_on(bench: Bench) -> None:
    stream = await bench.open()
    bench.change(zones="anew")
    await bench.watch.look()
    assert (stream.closings, stream.refusals, stream.camera.zones) == ([], [], "anew")
    again = await bench.tokens.identity_of(TOKEN)
    assert again == stream.camera
    bench.change(zones=None, upsample=2)
    await bench.watch.look()
    assert len(stream.closings) == 1


@pytest.mark.parametrize("token_hash", [None, "0" * 64])
async def test_a_revoked_or_rotated_token_ends_the_stream(bench: Bench, token_hash: str | None) -> None:
    stream = await bench.open()
    bench.change(token_hash=token_hash)
    await bench.watch.look()
    (error,) = stream.refusals
    assert error.status == grpc.StatusCode.UNAUTHENTICATED
    assert await bench.tokens.identity_of(TOKEN) is None


@pytest.mark.parametrize("change", ["revoked", "of another role", "of another"])
async def test_a_stream_ends_with_the_operator_s_token_for_recordings(bench: Bench, change: str) -> None:
    with bench.sessions.begin() as db:
        for name in ("player", "other"):
            db.add(ApiToken(name=name, role=TokenRole.RECORDING, token_hash=hash_token(name)))
    stream = await bench.open()
    stream.camera = replace(stream.camera, recording_hash=hash_token("player"))
    await bench.tokens.identity_of("player")
    await bench.watch.look()
    assert (stream.closings, stream.refusals) == ([], [])
    token = ApiToken.name == ("other" if change == "of another" else "player")
    with bench.sessions.begin() as db:
        if change == "of another role":
            db.execute(sa.update(ApiToken).where(token).values(role=TokenRole.MONITORING))
        else:
            db.execute(sa.delete(ApiToken).where(token))
    await bench.watch.look()
    if change == "of another":
        assert stream.refusals == []
        return
    (error,) = stream.refusals
    assert error.status == grpc.StatusCode.UNAUTHENTICATED
    player = await bench.tokens.identity_of("player")
    assert player is None or player.caller is not Caller.RECORDING


async def test_a_removed_camera_s_stream_ends(bench: Bench) -> None:
    stream = await bench.open()
    with bench.sessions.begin() as db:
        db.execute(sa.delete(Camera))
    await bench.watch.look()
    assert len(stream.refusals) == 1


async def test_a_database_that_is_away_ends_no_stream_and_is_said_once(bench: Bench) -> None:
    stream = await bench.open()
    with bench.sessions.begin() as db:
        db.execute(sa.text("ALTER TABLE camera RENAME TO gone"))
    with capture_logs() as logs:
        await bench.watch.look()
        await bench.watch.look()
    assert (stream.closings, stream.refusals) == ([], [])
    assert [entry["event"] for entry in logs] == ["cameras_not_read_or_written"]
