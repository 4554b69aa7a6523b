"""The aiming view of a running service, asked as the dashboard asks it: with a ticket, over HTTP."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from attendance.aiming import AimedShot
from attendance.database.access.aiming_tickets import sign_ticket
from attendance.database.access.sign_ins import begin_sign_in, end_sign_ins, sign_in_of
from attendance.database.models import Account, Camera, Origin, Role, SignIn
from attendance.face_engine.images import decode_image
from recognition_service.aiming.server import AimingServer
from recognition_service.listening import ServerSetupError
from tests.factories import make_lecturer
from tests.recognition_service.campus import CameraCall, Campus, add_session, face_of, until
from tests.recognition_service.engines import RAISE, ColourEngine, picture


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> str:
        return str(json.loads(self.body)["problem"])

    @property
    def said(self) -> AimedShot:
        return AimedShot.model_validate_json(self.body)


@dataclass(frozen=True)
class Administrator:
    """Somebody who hangs cameras, as the dashboard asks for them."""

    campus: Campus
    sign_in: SignIn

    def ticket(self, camera: str = "front", *, clear: bool = False, now: datetime | None = None) -> str:
        ticket = sign_ticket(self.sign_in, self.campus.camera(camera).id, clear=clear, now=now or datetime.now(UTC))
        assert ticket is not None
        return ticket

    async def ask(self, path: str = "", *, camera: str = "front", ticket: str | None = None, port: int = 0) -> Reply:
        """A request to the service that the camera's row names."""
        await until(lambda: port or self.campus.camera(camera).aiming_address)
        address = self.campus.camera(camera).aiming_address or ""
        signed = self.ticket(camera) if ticket is None else ticket
        full = f"/cameras/{self.campus.camera(camera).id}/shots{path}"
        return await asyncio.to_thread(fetch, port or int(address.rpartition(":")[2]), full, f"Aiming {signed}")


def fetch(port: int, path: str, authorization: str | None) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path, headers={} if authorization is None else {"Authorization": authorization})
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())
    finally:
        connection.close()


@pytest.fixture
def admin(campus: Campus) -> Administrator:
    with campus.sessions() as db:
        account = make_lecturer(db, role=Role.ADMIN)
        token = begin_sign_in(db, account, now=datetime.now(UTC), lifetime=timedelta(hours=1))
        db.commit()
        sign_in = sign_in_of(db, token)
        assert sign_in is not None
        return Administrator(campus, sign_in)


@asynccontextmanager
async def filming(stream: CameraCall, student: str | None = "red", **options: Any) -> AsyncIterator[None]:
    """The camera sends a frame every twentieth of a second."""

    over = asyncio.Event()

    async def film() -> None:
        while not over.is_set():  # a call whose reading is cancelled is cancelled itself
            shown = picture() if student is None else face_of(student)
            await stream.ask(shown, at=datetime.now(UTC), **options)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(film())
    try:
        yield
    finally:
        over.set()
        await task


Start = Callable[..., Any]


async def test_shows_the_camera_with_its_faces_pixelated_while_a_session_counts(
    start: Start, open_stream: Start, admin: Administrator
) -> None:
    async with filming(await open_stream(await start())):
        ticket = admin.ticket(clear=True)
        first = await admin.ask(ticket=ticket)
        said = first.said
        assert first.status == 200
        assert (said.width, said.height, said.session, said.clear) == (128, 96, True, False)
        assert [face.width for face in said.faces] == [64]
        file = await admin.ask(f"/{said.number}.jpg", ticket=ticket)
        assert (file.status, file.headers["Content-Type"]) == (200, "image/jpeg")
        assert decode_image(file.body, max_pixels=10**6).shape == (96, 128, 3)
        for reply in (first, file):
            assert reply.headers["Cache-Control"] == "no-store"
        after = (await admin.ask(f"?after={said.number}")).said
        assert after.number > said.number


async def test_shows_faces_where_no_session_counts_until_one_does(
    start: Start, open_stream: Start, campus: Campus, admin: Administrator
) -> None:
    async with filming(await open_stream(await start(), "empty")):
        ticket = admin.ticket("empty", clear=True)
        said = (await admin.ask(camera="empty", ticket=ticket)).said
        assert (said.session, said.clear) == (False, True)
        assert not (await admin.ask(camera="empty")).said.clear  # nobody asked for it
        add_session(campus, "empty", datetime.now(UTC) + timedelta(minutes=5))  # people are coming in

        async def pixelated() -> None:
            known = said.number
            while True:
                newer = (await admin.ask(f"?after={known}", camera="empty", ticket=ticket)).said
                known = newer.number
                if newer.session:
                    assert not newer.clear
                    return

        await asyncio.wait_for(pixelated(), 30)


async def test_nothing_of_it_stays_and_nothing_is_looked_at_for_nobody(
    start: Start, open_stream: Start, campus: Campus, admin: Administrator, tmp_path: Any
) -> None:
    engine = ColourEngine()
    stream = await open_stream(await start(engine=engine), "empty")
    with capture_logs() as logs:
        for _ in range(3):
            await stream.ask(face_of("red"), at=datetime.now(UTC))
        assert sum(engine.batches) == 1  # the warming up
        async with filming(stream):
            said = (await admin.ask(camera="empty")).said
            assert (await admin.ask(f"/{said.number}.jpg", camera="empty")).status == 200
    assert said.faces
    ticket = admin.ticket("empty")
    assert not [line for line in logs if ticket[:20] in str(line) or "jpg" in str(line)]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"\xff\xd8\xff\xe0" in path.read_bytes()]


async def test_whom_a_ticket_lets_in(start: Start, open_stream: Start, campus: Campus, admin: Administrator) -> None:
    stub = await start()
    async with filming(await open_stream(stub)):
        port = int(str(await admin_address(campus)).rpartition(":")[2])
        path = f"/cameras/{campus.camera('front').id}/shots"
        for authorization in (None, "", "Aiming", "Aiming forged", f"Bearer {campus.front}"):
            reply = fetch_in_thread = await asyncio.to_thread(fetch, port, path, authorization)
            assert (reply.status, fetch_in_thread.problem) == (401, "forged")
        old = admin.ticket(now=datetime.now(UTC) - timedelta(minutes=2))
        assert [(r.status, r.problem) for r in [await admin.ask(ticket=old)]] == [(401, "expired")]
        others = await admin.ask(ticket=admin.ticket("back"))
        assert (others.status, others.problem) == (403, "other_camera")
        mine = admin.ticket()
        number = (await admin.ask(ticket=mine)).said.number
        with campus.sessions.begin() as db:
            end_sign_ins(db, SignIn.id == admin.sign_in.id)
        for path in ("", f"/{number}.jpg"):
            signed_out = await admin.ask(path, ticket=mine)
            assert (signed_out.status, signed_out.problem) == (401, "ended")


async def admin_address(campus: Campus) -> str:
    """At which the camera "front" is seen."""
    await until(lambda: campus.camera("front").aiming_address)
    return str(campus.camera("front").aiming_address)


async def test_an_account_that_was_removed_sees_nothing_more(
    start: Start, open_stream: Start, campus: Campus, admin: Administrator
) -> None:
    async with filming(await open_stream(await start())):
        ticket = admin.ticket()
        assert (await admin.ask(ticket=ticket)).status == 200
        with campus.sessions.begin() as db:
            db.execute(sa.delete(Account).where(Account.id == admin.sign_in.account_id))
        assert (await admin.ask(ticket=ticket)).problem == "ended"


async def test_cameras_that_show_nothing_say_why(
    start: Start, open_stream: Start, campus: Campus, admin: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recognition_service.aiming.server._WAIT_S", 0.5)
    stub = await start()
    stream = await open_stream(stub)
    port = int((await admin_address(campus)).rpartition(":")[2])
    away = await admin.ask(camera="empty", port=port)
    assert (away.status, away.problem) == (404, "not_connected")
    silent = await admin.ask()
    assert (silent.status, silent.problem) == (503, "no_frame")
    gone = await admin.ask("/999.jpg")
    assert (gone.status, gone.problem) == (404, "gone")
    for origin in (Origin.KEPT, Origin.RECORDING):  # not what the camera sees now
        async with filming(stream, origin=origin):
            assert (await admin.ask()).problem == "no_frame"
    monkeypatch.setattr("recognition_service.aiming.server._WAIT_S", 10)
    asking = asyncio.create_task(admin.ask())
    await asyncio.sleep(0.3)
    await stream.ask(b"no picture", at=datetime.now(UTC))
    unreadable = await asking
    assert (unreadable.status, unreadable.problem) == (503, "unreadable")
    asking = asyncio.create_task(admin.ask())
    await asyncio.sleep(0.3)
    await stream.ask(picture((200, 60, 60), corner=RAISE), at=datetime.now(UTC))
    assert (await asking).problem == "busy"  # the engine failed: no face was found, so nobody could be pixelated


async def test_a_camera_with_a_wrong_clock_is_seen_and_a_session_of_now_counts(
    start: Start, open_stream: Start, admin: Administrator
) -> None:
    stream = await open_stream(await start(max_clock_behind_s=300))
    asking = asyncio.create_task(admin.ask(ticket=admin.ticket(clear=True)))
    await asyncio.sleep(0.3)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await stream.ask(face_of("red"), at=yesterday)
    said = (await asking).said
    assert said.captured_at == yesterday
    assert (said.session, said.clear) == (True, False)


async def test_two_services_each_show_their_own_cameras(
    start: Start, open_stream: Start, campus: Campus, admin: Administrator, tmp_path: Any
) -> None:
    first, second = await start(), await start(outbox=tmp_path / "second.db")
    async with filming(await open_stream(first)), filming(await open_stream(second, "empty"), None):
        assert (await admin.ask()).said.faces
        assert (await admin.ask(camera="empty")).said.faces == ()
        assert campus.camera("front").aiming_address != campus.camera("empty").aiming_address
    # The camera goes over to the other service, which says so at once.
    before = campus.camera("front").aiming_address
    async with filming(await open_stream(second)):
        await until(lambda: campus.camera("front").aiming_address not in (None, before))
        assert (await admin.ask()).status == 200


async def test_where_it_is_off_cameras_have_no_address(
    start: Start, open_stream: Start, campus: Campus, service_settings: Any
) -> None:
    await open_stream(await start(aiming_listen="off"))
    await until(lambda: campus.camera("front").last_seen_at)
    with campus.sessions() as db:
        assert db.scalars(sa.select(Camera.aiming_address).where(Camera.name == "front")).one() is None


@pytest.mark.real
@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:70000", "192.0.2.1:1"])
async def test_an_address_that_cannot_be_is_named(listen: str) -> None:
    views: Any = None
    sessions: Any = None
    with pytest.raises(ServerSetupError, match="ATTENDANCE_SERVICE_AIMING_LISTEN"):
        AimingServer(listen, None, views, sessions).start()


@pytest.mark.real
@pytest.mark.parametrize(
    ("listen", "address", "reached"),
    [("127.0.0.1:0", None, "127.0.0.1"), ("0.0.0.0:0", None, "MACHINE"), ("127.0.0.1:0", "hall.lan:9474", "hall.lan")],
)
async def test_the_dashboard_is_told_how_to_reach_it(
    listen: str, address: str | None, reached: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "MACHINE")
    views: Any = None
    sessions: Any = None
    server = AimingServer(listen, address, views, sessions)
    server.start()
    try:
        assert (server.address or "").startswith(f"{reached}:")
    finally:
        await asyncio.to_thread(server.close)
    assert server.address is None
