import stat
import threading
from pathlib import Path

import pytest

from attendance.gallery.files import locked, replace_durably, write_durably
from attendance.private_files import make_private_folder


def test_replaced_at_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_durably(path, b"old")
    handle = path.open("rb")
    replace_durably(path, b"new")
    assert handle.read() == b"old", "whoever reads the old file goes on reading it"
    handle.close()
    assert path.read_bytes() == b"new"
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_what_a_killed_writer_left_is_overwritten(tmp_path: Path) -> None:
    left = tmp_path / ".file.new"
    left.write_bytes(b"half of someth")
    left.chmod(0o666)
    replace_durably(tmp_path / "file", b"whole")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_a_link_laid_in_the_way_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "file").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        write_durably(tmp_path / "file", b"x")
    assert victim.read_bytes() == b"precious"


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    make_private_folder(tmp_path / "a" / "b")
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    entered = threading.Event()

    def enter() -> None:
        with locked(lock):
            entered.set()

    with locked(lock):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()
