"""Who is let in: every call with every kind of token, over real sockets, and with the database away."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import sqlalchemy as sa

from attendance.database.access.tokens import hash_token, new_token
from attendance.database.models import ApiToken, Camera
from attendance.settings.camera import RECORDING_METADATA
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.access import auth
from recognition_service.access.auth import CameraIdentity, OperatorIdentity, TokenDirectory
from recognition_service.errors import UnavailableError
from tests.recognition_service.campus import PATIENCE_S, Campus, bearer, face_of, running
from tests.recognition_service.engines import encoded

CALLS = ("StreamFrames", "Recognize", "EncodeFaces", "GetStatus")
ALLOWED = {
    "front": {"StreamFrames", "GetStatus"},
    "enrolment": {"Recognize", "EncodeFaces", "GetStatus"},
    "monitoring": {"GetStatus"},
    "recording": {"GetStatus"},
}
Start = Callable[..., Any]


async def status_of(stub: Any, name: str, metadata: Any) -> tuple[grpc.StatusCode, str]:
    """How a call is taken; a stream's client says nothing, and waits."""
    requests = {
        "Recognize": pb.RecognizeRequest(image=encoded(face_of("red"))),
        "EncodeFaces": pb.EncodeFacesRequest(image=encoded(face_of("red"))),
        "GetStatus": pb.GetStatusRequest(),
    }
    async with asyncio.timeout(PATIENCE_S):
        try:
            if name == "StreamFrames":
                call = stub.StreamFrames(metadata=metadata)
                first = await call.read()
                if first is grpc.aio.EOF:
                    return await call.code(), await call.details()
                call.cancel()
            else:
                await getattr(stub, name)(requests[name], metadata=metadata)
        except grpc.aio.AioRpcError as error:
            return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.fixture
async def stub(start: Start) -> Any:
    return await start()


@pytest.mark.parametrize("caller", ["front", "enrolment", "monitoring", "recording"])
async def test_a_token_opens_its_calls_and_no_others(stub: Any, campus: Campus, caller: str) -> None:
    for name in CALLS:
        code, details = await status_of(stub, name, bearer(getattr(campus, caller)))
        if name in ALLOWED[caller]:
            assert code == grpc.StatusCode.OK, (name, details)
        else:
            assert code == grpc.StatusCode.PERMISSION_DENIED
            assert name in details


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "metadata",
    [
        None,
        bearer(""),
        (("authorization", "Basic abc"),),
        (("authorization", "nonsense"),),
        (*bearer("one"), *bearer("two")),
        bearer(new_token("cam")),
        bearer("x" * 4000),
    ],
    ids=["none", "empty", "basic", "no-scheme", "two", "unknown", "long"],
)
async def test_without_a_known_token_every_call_is_refused_at_once(stub: Any, name: str, metadata: Any) -> None:
    code, details = await status_of(stub, name, metadata)
    assert code == grpc.StatusCode.UNAUTHENTICATED
    assert "token" in details


@pytest.mark.parametrize("which", ["recording", "monitoring", "front", "unknown"])
async def test_beside_a_camera_only_an_operator_who_plays_recordings_is_let_in(
    stub: Any, campus: Campus, which: str
) -> None:
    beside = ((RECORDING_METADATA, getattr(campus, which, "unknown")),)
    code, details = await status_of(stub, "StreamFrames", (*bearer(campus.front), *beside))
    right = which == "recording"
    assert code == (grpc.StatusCode.OK if right else grpc.StatusCode.UNAUTHENTICATED)
    assert ("--role recording" in details) is not right
    code, _ = await status_of(stub, "StreamFrames", (*bearer(new_token("cam")), *beside))
    assert code == grpc.StatusCode.UNAUTHENTICATED  # it opens nothing by itself


async def test_a_refusal_repeats_no_token(stub: Any, capsys: pytest.CaptureFixture[str]) -> None:
    token = new_token("cam")
    _, details = await status_of(stub, "GetStatus", bearer(token))
    output = capsys.readouterr()
    assert token not in details + output.out + output.err


async def test_the_scheme_may_be_written_anyhow(stub: Any, campus: Campus) -> None:
    for scheme in ("bearer", "BEARER"):
        code, _ = await status_of(stub, "GetStatus", (("authorization", f"{scheme} {campus.monitoring}"),))
        assert code == grpc.StatusCode.OK


async def test_a_call_that_is_none_is_unimplemented(campus: Campus) -> None:
    async with running(campus.settings) as service, grpc.aio.insecure_channel(service.address) as channel:
        shutdown: Any = channel.unary_unary("/attendance.v1.RecognitionService/Shutdown")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await shutdown(b"")
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_with_the_database_away_the_known_get_in_and_the_unknown_are_asked_back_later(
    stub: Any, campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [("StreamFrames", campus.front), ("GetStatus", campus.monitoring)]
    for name, token in known:
        assert (await status_of(stub, name, bearer(token)))[0] == grpc.StatusCode.OK
    _break(campus)
    monkeypatch.setattr(time, "monotonic", _later(3600))
    for name, token in known:
        assert (await status_of(stub, name, bearer(token)))[0] == grpc.StatusCode.OK
    for token in (campus.back, new_token("cam")):
        code, details = await status_of(stub, "StreamFrames", bearer(token))
        assert code == grpc.StatusCode.UNAVAILABLE
        assert "database" in details


def _later(seconds: float) -> Callable[[], float]:
    now = time.monotonic
    return lambda: now() + seconds


def _break(campus: Campus) -> None:
    with campus.engine.connect() as connection:
        for table in ("camera", "api_token"):
            connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO {table}_gone")
        connection.commit()


class TestTokenDirectory:
    """The directory alone."""

    @pytest.fixture
    async def directory(self, campus: Campus) -> AsyncIterator[TokenDirectory]:
        with ThreadPoolExecutor(2) as executor:
            yield TokenDirectory(campus.sessions, executor, fresh_s=3600, most_kept=3)

    async def test_a_camera_is_known_with_its_room(self, directory: TokenDirectory, campus: Campus) -> None:
        identity = await directory.identity_of(campus.front)
        assert isinstance(identity, CameraIdentity)
        assert (identity.name, identity.room) == ("front", "Hall")
        assert str(identity.token_hash) not in repr(identity)
        stray = await directory.identity_of(campus.stray)
        assert isinstance(stray, CameraIdentity)
        assert (stray.room_id, stray.room) == (None, None)

    async def test_an_operator_is_known_with_its_role(self, directory: TokenDirectory, campus: Campus) -> None:
        identity = await directory.identity_of(campus.enrolment)
        assert isinstance(identity, OperatorIdentity)
        assert identity.name == "enrolment"

    async def test_answers_are_kept_for_a_while_and_then_asked_again(
        self, directory: TokenDirectory, campus: Campus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await directory.identity_of(campus.enrolment) is not None
        with campus.sessions.begin() as db:
            db.execute(sa.delete(ApiToken))
        assert await directory.identity_of(campus.enrolment) is not None
        monkeypatch.setattr(time, "monotonic", _later(4000))
        assert await directory.identity_of(campus.enrolment) is None

    async def test_what_was_forgotten_is_asked_again_at_once(self, directory: TokenDirectory, campus: Campus) -> None:
        assert await directory.identity_of(campus.front) is not None
        with campus.sessions.begin() as db:
            db.execute(sa.update(Camera).values(token_hash=None))
        directory.forget(hash_token(campus.front))
        directory.forget(None)
        assert await directory.identity_of(campus.front) is None

    async def test_it_keeps_a_bounded_number_of_answers(self, directory: TokenDirectory) -> None:
        for _ in range(10):
            assert await directory.identity_of(new_token("cam")) is None
        assert len(directory._answers) == 3

    async def test_one_token_is_looked_up_once_however_many_ask(
        self, directory: TokenDirectory, campus: Campus
    ) -> None:
        statements: list[str] = []
        sa.event.listen(campus.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        answers = await asyncio.gather(*(directory.identity_of(campus.monitoring) for _ in range(20)))
        assert len(set(answers)) == 1
        assert sum(statement.startswith("SELECT") for statement in statements) == 2  # no camera's, an operator's

    async def test_too_many_lookups_at_once_are_refused(
        self, directory: TokenDirectory, campus: Campus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(auth, "_MOST_LOOKUPS", 2)
        answers = await asyncio.gather(
            *(directory.identity_of(new_token("cam")) for _ in range(5)), return_exceptions=True
        )
        assert [answer is None for answer in answers] == [True, True, False, False, False]
        assert all(isinstance(answer, UnavailableError) for answer in answers[2:])

    async def test_a_caller_that_goes_away_takes_no_answer_from_the_others(
        self, directory: TokenDirectory, campus: Campus
    ) -> None:
        first, second = (asyncio.create_task(directory.identity_of(campus.front)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is not None

    async def test_however_many_wrong_tokens_come_the_database_is_asked_for_all_once(
        self, directory: TokenDirectory, campus: Campus
    ) -> None:
        statements: list[str] = []
        sa.event.listen(campus.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
        wrong = await asyncio.gather(*(directory.may_be_right(new_token("cam")) for _ in range(50)))
        assert not any(wrong)
        assert await directory.may_be_right(campus.front)
        assert not await directory.may_be_right("x" * 4000)
        assert sum(statement.startswith("SELECT") for statement in statements) == 2  # cameras', operators'

    async def test_with_the_database_away_the_last_hashes_count_and_without_any_the_caller_is_asked_back(
        self, directory: TokenDirectory, campus: Campus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with ThreadPoolExecutor(1) as executor:
            fresh = TokenDirectory(campus.sessions, executor)
            assert await directory.may_be_right(campus.front)
            _break(campus)
            monkeypatch.setattr(time, "monotonic", _later(4000))
            assert await directory.may_be_right(campus.back)
            assert not await directory.may_be_right(new_token("cam"))
            for _ in range(2):
                with pytest.raises(UnavailableError, match="database"):
                    await fresh.may_be_right(campus.front)
