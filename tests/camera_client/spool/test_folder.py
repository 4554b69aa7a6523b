import contextlib
import dataclasses
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from camera_client.clock import CameraClock, Moment
from camera_client.frames import CapturedFrame
from camera_client.spool.folder import Spool, SpoolError, SpoolLimits, folder_of
from camera_client.spool.stored import FoundName, StoredFrame, read_name
from tests.camera_client.clocks import OtherClock

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
BLOCK = 4096


class Clock(CameraClock):
    """Right, and kept by a time server."""

    def __init__(self) -> None:
        self.it = OtherClock(server=True)
        super().__init__(self.it)

    def passes(self, seconds: float) -> None:
        self.it.passes(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(blocks: int = 1000, *, free_bytes: int = 0, age_s: float = 3600) -> SpoolLimits:
    return SpoolLimits(blocks * BLOCK, free_bytes, age_s)


def frame(number: int, size: int = 100) -> CapturedFrame:
    return CapturedFrame(START + timedelta(seconds=number), (b"\xff\xd8%d" % number).ljust(size, b"."))


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jpg"))


def emptied(spool: Spool) -> list[CapturedFrame]:
    found = []
    while (one := spool.read_oldest()) is not None:
        found.append(one[1])
        spool.discard(one[0])
    return found


def seconds(frames: list[CapturedFrame]) -> list[int]:
    return [int((one.captured_at - START).total_seconds()) for one in frames]


def test_frames_come_back_in_order_of_capture_with_their_times_and_leave_nothing(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path / "a" / "b", limits(), clock=clock)
    for number in (3, 1, 2):
        assert spool.keep(frame(number))
    assert (len(spool), spool.taken_bytes) == (3, 3 * BLOCK)
    back = emptied(spool)
    assert [(one.captured_at, one.jpeg) for one in back] == [(frame(n).captured_at, frame(n).jpeg) for n in (1, 2, 3)]
    assert back[0].label == "spooled 02 Mar 08:00:01"
    assert (len(spool), spool.taken_bytes, files(tmp_path / "a" / "b")) == (0, 0, [])


def test_only_the_cameras_user_can_look(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    old = os.umask(0)
    try:
        Spool(folder, limits(age_s=1e12)).keep(frame(1))
    finally:
        os.umask(old)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_later_run_goes_on_with_what_is_there(tmp_path: Path, clock: Clock) -> None:
    first = Spool(tmp_path, limits(), clock=clock)
    for number in range(3):
        first.keep(frame(number))
    first.close()
    second = Spool(tmp_path, limits(), clock=clock)
    assert (len(second), second.taken_bytes) == (3, 3 * BLOCK)
    assert seconds(emptied(second)) == [0, 1, 2]


def test_torn_and_strange_files_are_skipped_and_told(tmp_path: Path, clock: Clock) -> None:
    first = Spool(tmp_path, limits(), clock=clock)
    for number in range(5):
        first.keep(frame(number))
    first.close()
    torn, empty, gone = files(tmp_path)[:3]
    torn.write_bytes(torn.read_bytes()[:50])
    empty.write_bytes(b"")
    (tmp_path / "1-00000000.part").write_bytes(b"\xff\xd8 half")
    (tmp_path / "holiday.jpg").write_bytes(b"mine")
    (tmp_path / "5-00000000.jpg").symlink_to("/etc/passwd")
    second = Spool(tmp_path, limits(), clock=clock)
    assert not (tmp_path / "1-00000000.part").exists()
    gone.unlink()
    with capture_logs() as events:
        assert seconds(emptied(second)) == [3, 4]
    assert [event["reason"] for event in events] == [
        "it is not whole",
        "it is not whole",
        "No such file or directory",
    ]
    assert second.damaged == 3
    assert {path.name for path in tmp_path.iterdir()} == {"5-00000000.jpg", "holiday.jpg", "lock"}


def test_old_frames_are_thinned_when_it_is_full(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path, limits(8), clock=clock)
    for number in range(40):
        clock.passes(1)
        assert spool.keep(frame(number))
        assert len(files(tmp_path)) == len(spool) <= 8
    kept = seconds(emptied(spool))
    assert kept[0] == 0
    assert kept[-1] == 39
    assert any(0 < number < 20 for number in kept)
    assert spool.stored == 40
    assert spool.thinned == 40 - len(kept)


def test_the_bound_holds_for_frames_of_any_size_and_for_an_earlier_runs(tmp_path: Path, clock: Clock) -> None:
    first = Spool(tmp_path, limits(100), clock=clock)
    for number in range(60):
        first.keep(frame(number, 100 + 700 * (number % 10)))
    first.close()
    second = Spool(tmp_path, limits(10), clock=clock)
    assert second.keep(frame(99, 9000))
    assert second.taken_bytes <= 10 * BLOCK
    assert sum(-(-path.stat().st_size // BLOCK) * BLOCK for path in files(tmp_path)) == second.taken_bytes


def test_a_frame_larger_than_the_spool_costs_no_other(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path, limits(3), clock=clock)
    spool.keep(frame(1))
    with capture_logs() as events:
        assert not spool.keep(frame(2, 4 * BLOCK))
        assert not spool.keep(frame(3, 4 * BLOCK))
    assert [event["event"] for event in events] == ["frames_not_spooled"]
    assert "(spool_bytes)" in events[0]["reason"]
    assert seconds(emptied(spool)) == [1]


def test_the_disks_free_space_is_left_and_given_back(tmp_path: Path, clock: Clock) -> None:
    first = Spool(tmp_path, limits(), clock=clock)
    first.keep(frame(1))
    first.close()
    second = Spool(tmp_path, limits(free_bytes=10**18), clock=clock)
    with capture_logs() as events:
        assert not second.keep(frame(2))
        assert not second.keep(frame(3))
    assert [event["event"] for event in events if event["log_level"] == "error"] == ["frames_not_spooled"]
    assert "(spool_free_bytes)" in str(events)
    assert files(tmp_path) == []


def test_frames_grow_old_by_their_time_on_disk(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path, limits(age_s=100), clock=clock)
    spool.keep(frame(-50_000))  # a recording's: captured long ago
    clock.passes(60)
    spool.keep(frame(1))
    clock.passes(60)
    with capture_logs() as events:
        spool.delete_old()
    assert [event["event"] for event in events] == ["spooled_frames_too_old"]
    assert len(files(tmp_path)) == 1
    spool.close()
    clock.passes(60)
    assert len(Spool(tmp_path, limits(age_s=100), clock=clock)) == 0
    assert files(tmp_path) == []


@pytest.mark.parametrize("step_s", [-3600, 3600, 3 * 86_400])
def test_a_clock_that_is_set_makes_no_frame_older_or_younger(tmp_path: Path, clock: Clock, step_s: int) -> None:
    spool = Spool(tmp_path, limits(age_s=100), clock=clock)
    spool.keep(frame(1))
    clock.it.wrong_s += step_s
    clock.passes(90)
    assert spool.read_oldest() is not None
    clock.passes(11)
    assert spool.read_oldest() is None
    assert (files(tmp_path), spool.expired) == ([], 1)


def test_one_program_at_a_time(tmp_path: Path) -> None:
    first = Spool(tmp_path, limits())
    with pytest.raises(SpoolError, match="another program that runs for this camera uses the folder"):
        Spool(tmp_path, limits())
    first.close()
    Spool(tmp_path, limits()).close()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match=r"the folder .*file/spool cannot be used: Not a directory"):
        Spool(tmp_path / "file" / "spool", limits())


def test_a_disk_that_fails_is_told_once_until_it_works_again(tmp_path: Path, clock: Clock) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, limits(), clock=clock)
    folder.rename(tmp_path / "away")
    with capture_logs() as events:
        assert not spool.keep(frame(1))
        assert not spool.keep(frame(2))
        (tmp_path / "away").rename(folder)
        assert spool.keep(frame(3))
        folder.rename(tmp_path / "away")
        assert not spool.keep(frame(4))
    assert [event["reason"] for event in events] == ["No such file or directory"] * 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_costs_old_frames_first_and_then_nothing_but_the_frame(small_disk: Path, clock: Clock) -> None:
    spool = Spool(small_disk / "spool", limits(), clock=clock)
    with capture_logs() as events:
        for number in range(200):
            assert spool.keep(frame(number, 5000))
    assert not [event for event in events if event["log_level"] == "error"]
    kept = len(spool)
    assert 20 < kept <= 32
    with (small_disk / "others").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for _ in range(1000):
            file.write(bytes(1000))
    with capture_logs() as events:
        for number in range(200, 205):
            spool.keep(frame(number, 5000))
    assert len([event for event in events if event["log_level"] == "error"]) <= 1
    assert not list((small_disk / "spool").glob("*.part"))
    (small_disk / "others").unlink()
    assert spool.keep(frame(300, 5000))
    assert seconds(emptied(spool))[-1] == 300


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path, clock: Clock) -> None:
    """A limit of the kernel on the size of files stands for the disk that turns out full while it is written."""
    program = f"""
import resource, signal, sys
from tests.camera_client.spool.test_folder import Clock, Spool, files, frame, limits
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool = Spool(Path({str(tmp_path)!r}), limits(), clock=Clock())
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
print(spool.keep(frame(1, 50_000)), spool.keep(frame(2, 50_000)), spool.keep(frame(3, 10_000)))
"""
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[3]
    )
    assert "False False True" in result.stdout
    assert (result.stdout + result.stderr).count("frames_not_spooled") == 1
    assert [path.name for path in sorted(tmp_path.iterdir())][1:] == ["clock.json", "lock"]


def test_several_threads_may_use_it(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path, limits(20), clock=clock)
    threads = [
        threading.Thread(target=lambda part=part: [spool.keep(frame(4 * n + part)) for n in range(50)])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if (found := spool.read_oldest()) is not None:
            spool.discard(found[0])
    assert len(files(tmp_path)) == len(spool)
    emptied(spool)
    assert (files(tmp_path), spool.taken_bytes) == ([], 0)


def test_the_same_picture_again_is_one_file(tmp_path: Path, clock: Clock) -> None:
    spool = Spool(tmp_path, limits(), clock=clock)
    spool.keep(frame(1))
    spool.keep(frame(1))
    assert (len(spool), spool.taken_bytes) == (1, BLOCK)


def test_cameras_of_any_name_have_folders_of_their_own(tmp_path: Path) -> None:
    names = ["a", "A/../..", "..", ".", "", "a/b", "a-b", "a b", "Hörsaal 1", "x" * 500]
    folders = {folder_of(tmp_path, name) for name in names}
    assert len(folders) == len(names)
    for folder in folders:
        assert folder.parent == tmp_path
        assert len(folder.name) < 60
        folder.mkdir()


def test_a_name_says_when_a_frame_was_captured() -> None:
    stored = StoredFrame(1_772_438_400_000_001, 0xAB, Moment("5666e643173c", 12_345_678), False, BLOCK, 1)
    assert stored.name == "1772438400000001-000000ab-5666e643173c-12345678.jpg"
    assert read_name(stored.name) == FoundName(1_772_438_400_000_001, 0xAB, stored.moment, False)
    fixed = dataclasses.replace(stored, fixed=True)
    assert fixed.name == "1772438400000001-000000ab-5666e643173c-12345678r.jpg"
    assert read_name(fixed.name) == FoundName(1_772_438_400_000_001, 0xAB, stored.moment, True)
    assert read_name("1772438400000001-000000ab.jpg") == FoundName(1_772_438_400_000_001, 0xAB, None, True)
