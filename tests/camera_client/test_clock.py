import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from camera_client import clock as clocks
from camera_client.clock import CameraClock, MachineClock
from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolLimits
from tests.camera_client.clocks import OtherClock, camera_clock


def error_s(clock: CameraClock, machine: OtherClock) -> float:
    return clock.now_us() / 1e6 - machine.right.timestamp()


def test_this_machines_clocks_go_on() -> None:
    clock = MachineClock()
    first = clock.read()
    time.sleep(0.05)
    second = clock.read()
    assert first.moment is not None
    assert second.moment is not None
    assert 50_000 <= second.moment.uptime_us - first.moment.uptime_us < 5_000_000
    assert first.at < second.at <= datetime.now(UTC)
    assert clock.synchronised() in {True, False}
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():  # another program sees the same start of the machine
        assert first.moment.start == boot.read_text().replace("-", "")[:12] == MachineClock().start


@pytest.fixture
def no_boot_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system that does not tell which start of the machine this is, such as Windows."""
    monkeypatch.setattr(clocks, "_BOOT_ID", tmp_path / "none")
    clocks._this_start.cache_clear()
    yield
    clocks._this_start.cache_clear()


@pytest.mark.usefixtures("no_boot_id")
def test_where_no_system_tells_the_start_a_program_s_own_frames_are_of_its_own(tmp_path: Path) -> None:
    taken = MachineClock().read()  # by a source, which has a clock of its own
    for frames in (1, 2):
        spool = Spool(tmp_path / "spool", SpoolLimits(total_bytes=1_000_000, free_bytes=0, age_s=60))
        spool.keep(CapturedFrame(taken.at, b"picture %d" % frames, moment=taken.moment))
        assert (len(spool), spool.expired, spool.without_time) == (frames, 0, 0)
        spool.close()


@pytest.mark.parametrize("step_s", [7200, -7200, 5])
def test_a_frame_follows_a_step_of_the_clock(step_s: float) -> None:
    machine = OtherClock(wrong_s=-step_s)
    clock = camera_clock(machine)
    taken, right = machine.read(), machine.right
    machine.passes(600)
    machine.wrong_s, machine.server = 0.0, True  # a time server sets it
    assert clock.time_of(taken.at, taken.moment) == right


def test_what_a_server_corrects_little_by_little_changes_no_time() -> None:
    machine = OtherClock(server=True)
    clock = camera_clock(machine, compared=True)
    taken = machine.read()
    for _ in range(100):
        machine.passes(10)
        machine.wrong_s += 0.01
        assert clock.time_of(taken.at, taken.moment) == taken.at


@pytest.mark.parametrize("wrong_s", [-7200, 7200, -3 * 86_400, 3])
def test_the_services_time_is_taken_where_no_server_keeps_the_clock(wrong_s: float) -> None:
    machine = OtherClock(wrong_s=wrong_s)
    clock = camera_clock(machine)
    before, right_before = machine.read(), machine.right
    assert not clock.known
    machine.passes(60)
    assert clock.compare(machine.right) == pytest.approx(wrong_s)
    machine.passes(3600)
    after, right_after = machine.read(), machine.right
    assert clock.time_of(before.at, before.moment) == right_before
    assert clock.time_of(after.at, after.moment) == right_after
    assert clock.known
    assert not clock.disputed
    machine.wrong_s -= 500  # somebody sets it wrong while the camera is connected
    assert error_s(clock, machine) == 0


def test_a_clock_that_is_right_is_left_alone() -> None:
    machine = OtherClock(wrong_s=1.5)
    clock = camera_clock(machine, compared=True)
    taken = machine.read()
    assert clock.time_of(taken.at, taken.moment) == taken.at


@pytest.mark.parametrize(("wrong_s", "disputed"), [(20, False), (40, True), (-7200, True)])
def test_a_clock_that_a_server_keeps_is_believed_and_the_dispute_noted(wrong_s: float, disputed: bool) -> None:
    machine = OtherClock(wrong_s=wrong_s, server=True)
    clock = camera_clock(machine, compared=True)
    assert clock.disputed is disputed
    assert error_s(clock, machine) == wrong_s
    machine.wrong_s = 0
    assert not clock.disputed
    assert error_s(clock, machine) == 0


def test_times_that_are_no_reading_of_the_clock_stay() -> None:
    machine = OtherClock(wrong_s=-7200)
    clock = camera_clock(machine, compared=True)
    of_recording = datetime(2025, 3, 2, 8, tzinfo=UTC)
    assert clock.time_of(of_recording, None) == of_recording
    taken = machine.read()
    machine.restart()
    assert clock.time_of(taken.at, taken.moment) == taken.at
