"""Where the file of settings is found, and from where its paths go: a command means the same from every folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from attendance.settings import SettingsError, files, load_settings
from attendance.settings.files import settings_file, where_from
from operations.cli.main import attendance

ROOT = Path(__file__).parents[3]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in which there is nothing yet."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for /etc/attendance/attendance.toml."""
    file = tmp_path / "etc" / "attendance.toml"
    file.parent.mkdir()
    monkeypatch.setattr(files, "SYSTEM_FILE", file)
    return file


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def named(name: str) -> str:
    return f"[institution]\nname = '{name}'\n"


def test_the_current_folder_goes_before_the_account_and_the_account_before_the_machine(
    here: Path, system: Path, tmp_path: Path
) -> None:
    environ = {"HOME": str(tmp_path / "home")}
    account = tmp_path / "home" / ".config" / "attendance"
    assert settings_file(environ) is None
    assert where_from(environ) == f"no file of settings in {here}, {account}, {system.parent}"
    for file in (system, account / "attendance.toml", here / "attendance.toml"):
        write(file, named(str(file)))
        assert load_settings(environ).institution.name == str(file)
        assert where_from(environ) == f"file of settings: {file}"
    other = write(tmp_path / "other.toml", named("other"))
    assert load_settings(environ | {"ATTENDANCE_CONFIG": str(other)}).institution.name == "other"


def test_the_account_s_folder_is_where_its_environment_says(here: Path, system: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "own" / "attendance" / "attendance.toml", "")
    home = {"HOME": str(tmp_path / "home")}
    assert settings_file(home | {"XDG_CONFIG_HOME": str(tmp_path / "own")}) == file
    assert settings_file(home | {"XDG_CONFIG_HOME": "own"}) is None, "the specification takes whole paths only"
    assert settings_file({}) is None, "an account without a home"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root tries what another account may")
def test_what_an_account_may_not_see_is_passed_over_but_not_the_machine_s(tmp_path: Path) -> None:
    for name in ("etc", "closed"):
        write(tmp_path / name / "attendance.toml", named(name)).parent.chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    code = (
        "import os; from pathlib import Path\n"
        "from attendance.settings import SettingsError, files, load_settings\n"
        f"files.SYSTEM_FILE = Path({str(tmp_path / 'etc' / 'attendance.toml')!r})\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: load_settings({})\n"
        "except SettingsError as error: print(error)\n"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path / "closed", env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"cannot read {tmp_path / 'etc' / 'attendance.toml'}: Permission denied\n"


def test_relative_paths_of_the_file_are_relative_to_it_and_those_of_the_environment_to_the_current_folder(
    here: Path, system: Path
) -> None:
    folder = system.parent
    write(
        system,
        "[data]\ndirectory = 'data'\n[gallery]\nindex = '../index'\n[service]\ntls_key = '/key.pem'\n"
        "[engine]\nembedding = 'own.onnx'\n[matching]\nliveness_model = 'live.onnx'\n"
        "[camera]\nsource = 'clips/monday.mp4'\nname = 'relative/name'\n"
        "[database]\nurl = 'sqlite:///one.db?timeout=5'\n",
    )
    settings = load_settings({"ATTENDANCE_SERVICE_OUTBOX": "outbox.db"})
    assert settings.data.directory == folder / "data"
    assert settings.gallery.index == folder / "../index"
    assert settings.store_path == folder / "data" / "gallery" / "encodings.pickle"
    assert settings.service.tls_key == Path("/key.pem")
    assert settings.engine.embedding == folder / "own.onnx"
    assert settings.matching.liveness_model == folder / "live.onnx"
    assert settings.camera.source is not None
    assert settings.camera.source.get_secret_value() == f"{folder}/clips/monday.mp4"
    assert settings.camera.name == "relative/name"
    assert settings.database_url == f"sqlite:///{folder}/one.db?timeout=5"
    assert settings.service.outbox == Path("outbox.db")


@pytest.mark.parametrize("source", ["0", "/dev/video2", "rtsp://u:p@camera/stream", "/clips/monday.mp4"])
@pytest.mark.parametrize("url", ["sqlite:////var/one.db", "sqlite://", "sqlite:///:memory:", "mysql+pymysql://u:p@h/d"])
def test_what_is_no_relative_path_stays(here: Path, system: Path, source: str, url: str) -> None:
    write(system, f"[camera]\nsource = '{source}'\n[database]\nurl = '{url}'\n")
    settings = load_settings({})
    assert settings.camera.source is not None
    assert settings.camera.source.get_secret_value() == source
    assert settings.database_url == url


def test_without_a_word_about_it_the_data_is_beside_the_file(here: Path, system: Path) -> None:
    assert load_settings({}).data.directory == Path("attendance-data")
    write(system, "")
    assert load_settings({}).data.directory == system.parent / "attendance-data"
    assert load_settings({"ATTENDANCE_DATA_DIRECTORY": "mine"}).data.directory == Path("mine")


@pytest.mark.parametrize("text", ["", "[data]\ndirectory = 'attendance-data'\n"])
def test_of_two_folders_none_is_taken_for_the_other(here: Path, system: Path, text: str) -> None:
    """Versions before took a relative folder, and the default, from the current folder."""
    write(system, text)
    (here / "attendance-data").mkdir()
    with pytest.raises(SettingsError, match=r"ATTENDANCE_DATA_DIRECTORY: .* means .*etc/attendance-data"):
        load_settings({})
    assert load_settings({"ATTENDANCE_DATA_DIRECTORY": "attendance-data"}).data.directory == Path("attendance-data")
    write(system, f"[data]\ndirectory = '{here}/attendance-data'\n")
    assert load_settings({}).data.directory == here / "attendance-data"
    write(here / "attendance.toml", text)
    assert load_settings({}).data.directory == here / "attendance-data"


def test_a_wrong_setting_says_in_which_file_it_is(here: Path, system: Path) -> None:
    write(system, "[camera]\nrate = -1\n[service]\nwindow = 0\nwidnow = 1\n")
    with pytest.raises(SettingsError) as caught:
        load_settings({"ATTENDANCE_CAMERA_RATE": "-2"})
    rate, window, unknown = sorted(str(caught.value).splitlines())
    assert rate == "ATTENDANCE_CAMERA_RATE: Input should be greater than 0 (got '-2')"
    assert unknown.endswith(f"(got 0) in {system}"), window
    assert window == f"ATTENDANCE_SERVICE_WIDNOW: unknown setting in {system} (see `attendance config`)"


def test_commands_run_anywhere_and_say_where_the_data_is(
    here: Path, system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(system, "[data]\ndirectory = 'data'\n")
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    made = CliRunner().invoke(attendance, ["db", "upgrade"])
    assert made.exit_code == 0, made.output
    assert (system.parent / "data" / "attendance.db").is_file()
    monkeypatch.chdir(tmp_path)
    assert "up to date" in CliRunner().invoke(attendance, ["db", "upgrade"]).stdout
    first = CliRunner().invoke(attendance, ["config"]).stdout.splitlines()[0]
    assert first == f"# file of settings: {system}; data in {system.parent / 'data'}"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[service]\ntracing_endpoint = 'u:hunter2@collector'\n", "ATTENDANCE_SERVICE_TRACING_ENDPOINT"),
        ("[web]\naddress = 'https://u:hunter2@here'\n", "ATTENDANCE_WEB_ADDRESS"),
    ],
)
def test_an_address_with_a_password_where_none_should_be(here: Path, text: str, named: str) -> None:
    write(here / "attendance.toml", text)
    with pytest.raises(SettingsError, match=named) as caught:
        load_settings({})
    assert "hunter2" not in str(caught.value)
