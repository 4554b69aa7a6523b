"""The key that signs sessions."""

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from webapp.serving.secret_key import FILE_NAME, SecretKeyError, secret_key


def test_is_made_once_and_kept_to_its_owner(tmp_path):
    key = secret_key(None, tmp_path / "data")
    assert len(key) >= 32
    assert secret_key(None, tmp_path / "data") == key
    path = tmp_path / "data" / FILE_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == [FILE_NAME]


def test_the_configured_one_wins_and_nothing_is_written(tmp_path):
    assert secret_key("k" * 32, tmp_path) == "k" * 32
    assert list(tmp_path.iterdir()) == []


def test_processes_that_start_together_agree(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: secret_key(None, tmp_path), range(32)))
    assert len(keys) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe" * 40])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(SecretKeyError, match=FILE_NAME):
        secret_key(None, tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SecretKeyError, match="file/data"):
        secret_key(None, tmp_path / "file" / "data")
