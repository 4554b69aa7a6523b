"""Who is given the index, and who is not; how a service that fetches tells what is wrong."""

import asyncio
from pathlib import Path

import grpc
import pytest

from attendance.gallery.format import publish
from attendance.settings import Settings
from attendance.settings.families import traits_of
from attendance.settings.model import ModelsName
from operations.demo.programs import free_port
from protos.attendance.v1 import attendance_pb2 as pb
from recognition_service.app import RecognitionService
from recognition_service.replication.fetching import IndexReplica, replica_of
from recognition_service.replication.giving import _is_of_this_machine
from recognition_service.replication.sources import MountedFolder
from tests.recognition_service.campus import Campus, bearer, calling, running, until
from tests.recognition_service.engines import MODEL, SIZE, ColourEngine
from tests.recognition_service.replication.machines import Fleet, until_all


async def ask(service: RecognitionService, token: str, tls: grpc.ChannelCredentials | None, address: str = "") -> str:
    """The status of a call for the index, "OK" when it was given."""
    async with calling(service, tls) as stub:
        call = stub.GetIndex(pb.GetIndexRequest(), metadata=bearer(token))
        try:
            parts = [part async for part in call]
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
    assert parts[0].offer.version
    return "OK"


async def test_only_a_replicas_token_is_given_the_index(fleet: Fleet) -> None:
    campus = fleet.campus
    async with running(fleet.holder, ColourEngine) as service:
        tls = fleet.credentials()
        assert await ask(service, campus.replica, tls) == "OK"
        for token in (campus.front, campus.enrolment, campus.monitoring, campus.recording):
            assert "PERMISSION_DENIED: the token is of" in await ask(service, token, tls)
        assert "UNAUTHENTICATED" in await ask(service, "nobody's", tls)
        async with calling(service, tls) as stub:  # and a replica may do nothing else
            with pytest.raises(grpc.aio.AioRpcError, match="which may not call EncodeFaces"):
                await stub.EncodeFaces(pb.EncodeFacesRequest(), metadata=bearer(campus.replica))


@pytest.mark.parametrize(
    ("peer", "own"),
    [
        ("ipv4:127.0.0.1:4711", True),
        ("ipv6:%5B::1%5D:4711", True),
        ("unix:/run/x", True),
        ("ipv4:10.20.0.5:4711", False),
        ("ipv6:%5B2001:db8::1%5D:4711", False),
        ("nonsense", False),
    ],
)
def test_without_tls_only_this_machine_is_given_it(peer: str, own: bool) -> None:
    assert _is_of_this_machine(peer) is own


async def test_another_machine_is_refused_without_tls_and_told_why(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recognition_service.replication.giving._is_of_this_machine", lambda _peer: False)
    async with running(campus.settings, ColourEngine) as service:
        assert await ask(service, campus.replica, None) == (
            "PERMISSION_DENIED: the index is given by TLS only: it holds biometric data"
        )
    proxied = campus.settings.service.model_copy(update={"index_behind_proxy": True})
    async with running(campus.settings.model_copy(update={"service": proxied}), ColourEngine) as service:
        assert await ask(service, campus.replica, None) == "OK"


async def test_a_service_that_holds_a_copy_gives_none(fleet: Fleet) -> None:
    fleet.enrol("green")
    async with running(fleet.holder, ColourEngine), running(fleet.replica("second"), ColourEngine) as second:
        await until_all(fleet, [second], "green", "green")
        assert "FAILED_PRECONDITION: this service holds a copy" in await ask(second, fleet.campus.replica, None)


def replica(settings: Settings) -> IndexReplica:
    made = replica_of(settings, lambda _outcome, _bytes: None)
    assert made is not None
    return made


async def problem(settings: Settings) -> str:
    """What a service says after one question."""
    asking = replica(settings)
    await asking.refresh()
    return asking.problem or ""


async def test_what_is_wrong_is_said_in_words_without_the_token(fleet: Fleet, tmp_path: Path) -> None:
    fleet.enrol("green")
    other = Fleet(fleet.campus, tmp_path / "other", free_port(0)).tls
    lost, wrong, empty = tmp_path / "lost", tmp_path / "wrong", tmp_path / "empty"
    wrong.write_text(fleet.campus.monitoring)
    empty.write_text("\n")
    async with running(fleet.holder, ColourEngine):
        traps: dict[str, dict[str, object]] = {
            "has a certificate that .*other.* does not vouch for": {"tls_ca": other / "ca.pem"},
            "token is of an operator with the monitoring role": {"token_file": wrong},
            f"cannot read {lost}: No such file": {"token_file": lost},
            f"cannot read {lost}.x: No such file": {"tls_ca": tmp_path / "lost.x"},
            f"{empty} holds no token": {"token_file": empty},
            f"{wrong} holds no PEM certificate": {"tls_ca": wrong},
            r"cannot be reached \(Connection refused\)": {"source": f"localhost:{free_port(0)}"},
        }
        for number, (words, changes) in enumerate(traps.items()):
            said = await problem(fleet.replica(f"second-{number}", **changes))
            assert pytest.RaisesExc(Exception, match=words).matches(Exception(said)), said
            assert fleet.campus.monitoring not in said
        assert await problem(fleet.replica("well")) == ""


async def test_another_family_is_refused_while_the_engine_runs_and_taken_at_the_next_start(fleet: Fleet) -> None:
    fleet.enrol("green")
    settings = fleet.replica("second")
    async with running(fleet.holder, ColourEngine), running(settings, ColourEngine) as second:
        await until_all(fleet, [second], "green", "green")
        converted = publish(
            fleet.holder.index_path, {}, model="sface-2021dec", traits=traits_of("sface-2021dec"),
            encoding_size=128,
        )[0].version  # fmt: skip
        await until(lambda: second._replica is not None and second._replica.problem)
        assert second._replica is not None
        said = second._replica.problem or ""
        assert f"index {converted} is not taken: it is of family opencv" in said
        assert "start this service again" in said
        assert await fleet.named(second, "green") == "green"
        # Told to use one family only, it is not taken at a start either.
        fixed = settings.model_copy(update={"engine": settings.engine.model_copy(update={"models": ModelsName.DLIB})})
        assert "ATTENDANCE_ENGINE_MODELS is dlib" in await problem(fixed)
        again = replica(settings)
        await again.begin()
        assert again.problem is None
        await again.close()


async def test_a_folder_that_is_mounted_serves_as_well(fleet: Fleet, tmp_path: Path) -> None:
    version = fleet.enrol("green")
    mounted = fleet.replica("second", source=None, token_file=None, tls_ca=None, folder=fleet.holder.index_path)
    async with running(mounted, ColourEngine) as second:
        await until_all(fleet, [second], "green", "green")
        latest = fleet.enrol("green", "red")
        await until_all(fleet, [second], "red", "red")
        await until(lambda: fleet.row("second").index_version == latest != version)
    lost = IndexReplica(tmp_path / "copy", MountedFolder(tmp_path / "not mounted"), interval_s=1)
    await lost.refresh()
    assert "is it mounted, and one published?" in (lost.problem or "")


async def test_one_service_of_a_machine_fetches_for_all(fleet: Fleet) -> None:
    fleet.enrol("green", crowd=2_000)
    settings = fleet.replica("second")
    async with running(fleet.holder, ColourEngine):
        came: list[int] = []
        both = [replica_of(settings, lambda _outcome, received: came.append(received)) for _ in range(2)]
        await asyncio.gather(*[one.refresh() for one in both if one is not None])
        await asyncio.gather(*[one.refresh() for one in both if one is not None])
    assert len([received for received in came if received > 0]) == 1


async def test_an_index_of_nobody_is_given_too(campus: Campus, fleet: Fleet) -> None:
    publish(campus.settings.index_path, {}, model=MODEL, traits=traits_of(MODEL), encoding_size=SIZE)
    async with running(fleet.holder, ColourEngine):
        assert await problem(fleet.replica("second")) == ""
