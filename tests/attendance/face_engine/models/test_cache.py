import grp
import hashlib
import multiprocessing
import os
import pwd
import time
from pathlib import Path

import pytest

from attendance.face_engine.interface import ModelError
from attendance.face_engine.models.cache import cached, default_cache_folder, read_model, require_private


def digest(contents: bytes) -> str:
    return hashlib.sha256(contents).hexdigest()


def test_made_once(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"model"

    folder = tmp_path / "deep" / "cache"
    assert cached(folder, "key", make, sha256=digest(b"model")) == b"model"
    assert cached(folder, "key", make, sha256=digest(b"model")) == b"model"
    assert len(made) == 1
    assert cached(folder, "other", make, sha256=digest(b"model")) == b"model"
    assert len(made) == 2


@pytest.mark.parametrize("spoiled", [b"", b"x" * 10, b"x" * 100])
def test_a_spoiled_file_is_made_again(tmp_path: Path, spoiled: bytes) -> None:
    known = digest(b"model")
    cached(tmp_path, "key", lambda: b"model", sha256=known)
    (file,) = tmp_path.iterdir()
    file.write_bytes(spoiled)
    assert cached(tmp_path, "key", lambda: b"model", sha256=known) == b"model"
    assert file.read_bytes() == hashlib.sha256(b"model").digest() + b"model"
    assert cached(tmp_path, "key", lambda: b"never", sha256=known) == b"model"


def test_nothing_is_kept_that_would_vouch_for_itself(tmp_path: Path) -> None:
    assert cached(tmp_path, "key", lambda: b"of unknown weights", sha256=None) == b"of unknown weights"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "key.bin").write_bytes(hashlib.sha256(b"planted").digest() + b"planted")
    assert cached(tmp_path, "key", lambda: b"made", sha256=None) == b"made"


def test_a_folder_that_cannot_be_written_costs_only_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert cached(tmp_path / "file" / "cache", "key", lambda: b"model", sha256=digest(b"model")) == b"model"


def test_what_making_raises_is_raised_and_nothing_is_left(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise ModelError("broken weights")

    with pytest.raises(ModelError, match="broken weights"):
        cached(tmp_path, "key", fail, sha256=digest(b"model"))
    assert list(tmp_path.iterdir()) == []


def slowly() -> bytes:
    time.sleep(0.3)
    return b"m" * 1_000_000


def in_another_process(folder: Path, answers: "multiprocessing.Queue[bool]") -> None:
    answers.put(cached(folder, "key", slowly, sha256=digest(b"m" * 1_000_000)) == b"m" * 1_000_000)


def test_processes_that_start_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    processes = [context.Process(target=in_another_process, args=(tmp_path, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [answers.get(timeout=60) for _ in processes] == [True] * 3
    for process in processes:
        process.join(60)
    assert len(list(tmp_path.iterdir())) == 1, "no temporary file is left"


def test_the_cache_is_where_the_desktop_s_rules_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "class-attendance" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert default_cache_folder() == Path.home() / ".cache" / "class-attendance" / "models"


def test_an_operator_s_model_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"arc\.onnx: cannot read the model file"):
        read_model(tmp_path / "arc.onnx")


def test_bytes_whose_hash_is_known_are_not_taken_from_a_file_that_vouches_for_itself(tmp_path: Path) -> None:
    right, other = b"model", b"planted"
    known = hashlib.sha256(right).hexdigest()
    assert cached(tmp_path, "key", lambda: right, sha256=known) == right
    (file,) = tmp_path.iterdir()
    file.write_bytes(hashlib.sha256(other).digest() + other)
    assert cached(tmp_path, "key", lambda: right, sha256=known) == right
    assert cached(tmp_path, "key", lambda: b"never", sha256=known) == right


def test_bytes_that_come_out_otherwise_are_used_and_not_kept(tmp_path: Path) -> None:
    known = hashlib.sha256(b"model").hexdigest()
    assert cached(tmp_path, "key", lambda: b"of another version", sha256=known) == b"of another version"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_this_user_s_own_is_private(tmp_path: Path) -> None:
    require_private(tmp_path)
    require_private(tmp_path / "not" / "made" / "yet")


@pytest.mark.parametrize("mode", [0o777, 0o702, 0o772])
def test_a_folder_that_others_may_write_is_not(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ModelError, match=f"others may write in the model folder {tmp_path}"):
        require_private(tmp_path)


def test_a_group_with_other_members_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o775)
    group = grp.getgrgid(tmp_path.stat().st_gid)
    user = pwd.getpwuid(os.geteuid())
    alone = grp.struct_group((group.gr_name, "x", user.pw_gid, []))
    monkeypatch.setattr("grp.getgrgid", lambda _: alone)
    require_private(tmp_path)
    shared = grp.struct_group((group.gr_name, "x", user.pw_gid, [user.pw_name, "somebody"]))
    monkeypatch.setattr("grp.getgrgid", lambda _: shared)
    with pytest.raises(ModelError, match=r"\(drwxrwxr-x\): `chmod go-w"):
        require_private(tmp_path)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4711)
    if tmp_path.stat().st_uid == 0:
        os.chown(tmp_path, 4712, -1)
    with pytest.raises(ModelError, match="belongs to another user"):
        require_private(tmp_path)
