"""Three services that share no disk: enrolments reach all, withdrawals too; one is cut off, one is killed half way."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.models import Erasure, ErasureAcknowledgement, Service
from attendance.gallery.versions import INCOMING, current_version, versions_with
from attendance.settings import Settings
from operations.erasure import finish
from recognition_service.app import RecognitionService
from tests.recognition_service.campus import running, until
from tests.recognition_service.engines import ColourEngine
from tests.recognition_service.replication.machines import Fleet, until_all


def acknowledged(fleet: Fleet) -> set[str]:
    with fleet.campus.sessions() as db:
        return set(db.scalars(sa.select(Service.name).join(ErasureAcknowledgement)))


async def test_enrolments_and_withdrawals_reach_three_services_that_share_no_disk(fleet: Fleet) -> None:
    settings = [fleet.holder, fleet.replica("second"), fleet.replica("third")]
    fleet.enrol("green")
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(running(one, ColourEngine)) for one in settings]
        await until_all(fleet, services, "green", "green")
        assert await fleet.named(services[2], "red") == ""
        version = fleet.enrol("green", "red")
        await until_all(fleet, services, "red", "red")
        assert {current_version(one.index_path) for one in settings} == {version}
        await until(lambda: {fleet.row(one.service.name or "").index_version for one in settings} == {version})
        assert fleet.row("second").index_source == f"localhost:{fleet.port}"
        assert fleet.row("holder").index_source is None

        fleet.withdraw("red")
        await asyncio.sleep(1.5)  # all have looked, and the gallery has not erased yet
        assert acknowledged(fleet) == set()
        await asyncio.to_thread(fleet.work)
        await until(lambda: acknowledged(fleet) == {"holder", "second", "third"})
        await until_all(fleet, services, "red", "")
        for one in settings:
            assert versions_with(one.index_path, "red") == []
        assert await fleet.named(services[1], "green") == "green"
        assert finish(fleet.campus.sessions) == 1
    with fleet.campus.sessions() as db:
        assert db.scalars(sa.select(Erasure)).one().finished_at is not None


async def test_a_service_that_is_cut_off_goes_on_with_what_it_has_and_catches_up(fleet: Fleet) -> None:
    first = fleet.enrol("green")
    async with running(fleet.replica("second"), ColourEngine) as second:
        # Started before the other: nothing there yet, and said.
        assert second.gallery is None
        async with running(fleet.holder, ColourEngine):
            await until_all(fleet, [second], "green", "green")
        await until(lambda: second._replica is not None and second._replica.problem)
        latest = fleet.enrol("green", "red")
        assert await fleet.named(second, "green") == "green"
        # What it told at its start says the same, and no version.
        await until(lambda: told(fleet, second) and fleet.row("second").index_version == first)
        assert "cannot be reached" in (told(fleet, second) or "")
        async with running(fleet.holder, ColourEngine):
            await until_all(fleet, [second], "red", "red")
            await until(lambda: fleet.row("second").index_version == latest)
            assert second._replica is not None
            assert second._replica.problem is None


def told(fleet: Fleet, service: RecognitionService) -> str | None:
    """What the service tells of its source now; the database hears it within half a minute."""
    service._erasures._told = float("-inf")
    return fleet.row(service.name).index_problem


@pytest.mark.exhaustive
async def test_a_service_killed_half_way_through_an_index_serves_the_old_one_and_goes_on_where_it_was(
    fleet: Fleet, tmp_path: Path
) -> None:
    fleet.enrol("green")
    replica = fleet.replica("second")
    small = fleet.holder.service.model_copy(update={"max_message_bytes": 10_000})  # chunks of 5,000 bytes
    holder = fleet.holder.model_copy(update={"service": small})
    async with running(holder, ColourEngine):
        async with running(replica, ColourEngine) as second:
            await until_all(fleet, [second], "green", "green")
        old = current_version(replica.index_path)
        version = fleet.enrol("green", "red", crowd=20_000)
        total = (holder.index_path / "versions" / version / "encodings.npy").stat().st_size
        program = begin(replica, tmp_path)
        part = replica.index_path / INCOMING / "versions" / version / "encodings.npy"
        try:
            await until(lambda: part.exists() and part.stat().st_size > total // 10)
        finally:
            os.kill(program.pid, signal.SIGKILL)
            program.wait()
        had = part.stat().st_size
        assert total // 10 < had < total
        assert current_version(replica.index_path) == old
        assert fleet.row("second").index_version == old
        lone = replica.model_copy(update={"replica": replica.replica.model_copy(update={"source": "localhost:9"})})
        async with running(lone, ColourEngine) as second:
            assert await fleet.named(second, "green") == "green"
            assert part.stat().st_size == had
        async with running(replica, ColourEngine) as second:
            await until_all(fleet, [second], "red", "red")
            fetched = second._metrics.registry.get_sample_value("attendance_index_fetched_bytes_total")
            assert fetched is not None
            assert 0 < fetched < total * 1.2 - had
        assert not (replica.index_path / INCOMING).exists()


def begin(settings: Settings, folder: Path) -> "subprocess.Popen[bytes]":
    """The service as a program, with the engine of these tests."""
    file = folder / "settings.json"
    file.write_text(settings.model_dump_json(exclude_unset=True))
    code = (
        "import asyncio, sys; from pathlib import Path; from attendance.settings import Settings;"
        "from recognition_service.app import RecognitionService;"
        "from tests.recognition_service.engines import ColourEngine;"
        "settings = Settings.model_validate_json(Path(sys.argv[1]).read_text());"
        "service = RecognitionService(settings, build_engine=ColourEngine);"
        "loop = asyncio.new_event_loop(); loop.run_until_complete(service.start()); loop.run_forever()"
    )
    words = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-c", code, str(file)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[3])
