"""Settings: where they come from, and that a wrong one is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from attendance.settings import SettingsError, load_settings
from operations.cli.main import attendance


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "attendance.toml").write_text("[service]\nmax_batch = 3\nmax_queue = 7\n")
    settings = load_settings({"ATTENDANCE_SERVICE_MAX_BATCH": "5", "PATH": "/bin"})
    assert (settings.service.max_batch, settings.service.max_queue, settings.service.window) == (5, 7, 4)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[institution]\nname = 'Łódź'\n")
    assert load_settings({"ATTENDANCE_CONFIG": str(tmp_path / "other.toml")}).institution.name == "Łódź"


@pytest.mark.parametrize("text", ["false", "0", "no", "off"])
def test_words_for_false_are_false(text: str) -> None:
    assert load_settings({"ATTENDANCE_WEB_SECURE_COOKIES": text}).web.secure_cookies is False


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("ATTENDANCE_SERVICE_MAX_BATCH", "0", "greater than or equal to 1"),
        ("ATTENDANCE_SERVICE_MAX_BATCH", "many", "valid integer"),
        ("ATTENDANCE_SERVICE_MAX_BTCH", "1", "unknown setting"),
        ("ATTENDANCE_NONSENSE", "1", "unknown setting"),
        ("ATTENDANCE_INSTITUTION_TIMEZONE", "Mars/Olympus", "no IANA time zone"),
        ("ATTENDANCE_ENGINE_NAME", "magic", "'magic'"),
        ("ATTENDANCE_WEB_SECURE_COOKIES", "perhaps", "valid boolean"),
        ("ATTENDANCE_LOG_LEVEL", "loud", "'loud'"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_wrong(variable: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=variable) as caught:
        load_settings({variable: value})
    assert says in str(caught.value)


def test_every_wrong_setting_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"ATTENDANCE_SERVICE_WINDOW": "0", "ATTENDANCE_CAMERA_RATE": "-1"})
    assert "ATTENDANCE_SERVICE_WINDOW" in str(caught.value)
    assert "ATTENDANCE_CAMERA_RATE" in str(caught.value)


def test_a_wrong_secret_is_named_but_not_shown() -> None:
    with pytest.raises(SettingsError, match="ATTENDANCE_WEB_SECRET_KEY: must have 32") as caught:
        load_settings({"ATTENDANCE_WEB_SECRET_KEY": "hunter2"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('database = "mysql+pymysql://u:hunter2@h/d"', "ATTENDANCE_DATABASE"),
        ('[database]\nurl = ["mysql+pymysql://u:hunter2@h/d"]', "ATTENDANCE_DATABASE_URL"),
        ('[camera]\nsource = ["rtsp://u:hunter2@h"]', "ATTENDANCE_CAMERA_SOURCE"),
        ('[camera]\ntoken = {value = "hunter2"}', "ATTENDANCE_CAMERA_TOKEN"),
        ('[camera]\ntoken_ = "hunter2"', "ATTENDANCE_CAMERA_TOKEN_"),
        ('[camra]\ntoken = "hunter2"', "ATTENDANCE_CAMRA"),
    ],
)
def test_a_secret_in_a_wrong_place_of_the_file_is_not_shown(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "attendance.toml").write_text(text)
    with pytest.raises(SettingsError, match=rf"^{named}: ") as caught:
        load_settings({})
    assert "hunter2" not in str(caught.value)


def test_a_wrong_secret_of_the_environment_ends_a_command_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "operations.cli", "config"]
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "ATTENDANCE_WEB_SECRET_KEY": "hunter2",
    }
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: wrong settings",
        "ATTENDANCE_WEB_SECRET_KEY: must have 32 characters or more",
    ]


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot read"):
        load_settings({"ATTENDANCE_CONFIG": str(tmp_path / "missing.toml")})
    (tmp_path / "attendance.toml").write_text("[service\n")
    with pytest.raises(SettingsError, match="not TOML"):
        load_settings({})
    (tmp_path / "attendance.toml").write_bytes("[institution]\nname = 'Łódź'\n".encode("utf-16"))
    with pytest.raises(SettingsError, match="not UTF-8"):
        load_settings({})
    (tmp_path / "attendance.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(SettingsError, match="nested too deep"):
        load_settings({})
    (tmp_path / "attendance.toml").write_text("service = 3\n")
    with pytest.raises(SettingsError, match="ATTENDANCE_SERVICE"):
        load_settings({})


def test_config_lists_every_setting_but_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTENDANCE_CAMERA_TOKEN", "cam_very-secret")
    monkeypatch.setenv("ATTENDANCE_DATABASE_URL", "mysql+pymysql://u:hidden@h/d")
    done = CliRunner().invoke(attendance, ["config"])
    assert done.exit_code == 0
    for name in ("SERVICE_MAX_BATCH=", "CAMERA_TOKEN=(set, not shown)", "DATABASE_URL=(set, not shown)"):
        assert f"ATTENDANCE_{name}" in done.stdout
    assert "very-secret" not in done.stdout
    assert "hidden" not in done.stdout
