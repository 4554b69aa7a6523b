"""The installer: what it makes, that a second run changes nothing, and what it says when it cannot go on."""

import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url

from deploy.installer.places import InstallError, Places, give_tree
from deploy.installer.release import use_release
from operations.demo.programs import free_port
from tests.deploy.machine import SOURCE, Machine, clean_environ, run_installer, tree


@pytest.fixture(scope="module")
def installed(make_machine: Callable[..., Machine]) -> Machine:
    return make_machine(services=1)


def test_a_second_run_changes_nothing(installed: Machine) -> None:
    before = tree(installed.root)
    for words in (["--admin", "operator@example.edu"], []):
        done = installed.install(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "Everything is in order already; nothing was changed.\n"
    assert tree(installed.root) == before


def test_what_is_not_said_again_is_remembered(installed: Machine) -> None:
    before = tree(installed.root)
    done = subprocess.run(
        [SOURCE / "deploy" / "install", "--root", installed.root], env=clean_environ(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert tree(installed.root) == before


def test_secrets_are_for_root_alone_and_in_no_other_file(installed: Machine) -> None:
    files = {installed.at(f"/etc/attendance/{name}.env") for name in ("secrets", "web")}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(installed.at("/etc/attendance/tls/service.key").stat().st_mode) == 0o600
    certificate = installed.at("/etc/attendance/tls/service.pem")
    assert stat.S_IMODE(certificate.stat().st_mode) == 0o644, "the doctor's account reads it"
    environ = installed.unit("attendance-web").environ
    secrets = [make_url(environ["ATTENDANCE_DATABASE_URL"]).password or "", environ["ATTENDANCE_WEB_SECRET_KEY"]]
    assert all(len(secret) >= 32 for secret in secrets)
    for path in installed.root.rglob("*"):
        if path.is_file() and path not in files and "venv" not in path.parts and "static" not in path.parts:
            assert not any(secret.encode() in path.read_bytes() for secret in secrets), path


def test_the_face_models_are_fetched_into_the_installation_s_own_folder(installed: Machine) -> None:
    listed = installed.attendance("models", "list")
    assert f"Folder of fetched files: {installed.at('/var/cache/attendance/models')}\n" in listed
    assert "opencv, detector: there" in listed
    assert "opencv, encoder: there" in listed


def test_what_an_installation_of_one_account_kept_is_taken_over(installed: Machine) -> None:
    secrets, web = (installed.at(f"/etc/attendance/{name}.env") for name in ("secrets", "web"))
    before = secrets.read_text() + web.read_text()
    secrets.write_text(before)
    web.unlink()
    state = installed.at("/var/lib/attendance")
    state.chmod(0o700)
    for name in ("outbox-1.db", "outbox-1.db-wal"):
        (state / name).write_text(name)
    index = state / "gallery" / "index" / "versions"
    index.mkdir(mode=0o700)
    (index / "labels.json").touch(mode=0o600)
    done = installed.install()
    assert done.returncode == 0, done.stderr
    assert "ATTENDANCE_WEB_SECRET_KEY" not in secrets.read_text()
    assert web.read_text().splitlines()[-1] in before, "everybody stays signed in"
    assert stat.S_IMODE(state.stat().st_mode) == 0o711
    for name in ("outbox-1.db", "outbox-1.db-wal"):
        assert (state / "serve" / name).read_text() == name
        assert not (state / name).exists()
        (state / "serve" / name).unlink()
    assert stat.S_IMODE((index / "labels.json").stat().st_mode) == 0o640, "the services read it by their group"
    (index / "labels.json").unlink()
    index.rmdir()


def test_a_secret_that_an_operator_added_stays(installed: Machine) -> None:
    files = [installed.at(f"/etc/attendance/{name}.env") for name in ("secrets", "web")]
    before = {file: file.read_text() for file in files}
    added = {file: f"{text}# Of the provider.\nATTENDANCE_OIDC_CLIENT_SECRET=s3cret\n" for file, text in before.items()}
    for file, text in added.items():
        file.write_text(text)
    done = installed.install()
    assert done.returncode == 0, done.stderr
    assert {file: file.read_text() for file in files} == added
    for file, text in before.items():
        file.write_text(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_what_a_link_names_is_not_given_away(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / "shadow").touch()
    kept = tmp_path / "kept"
    (kept / "models").mkdir(parents=True)
    (kept / "models" / "a.onnx").touch()
    (kept / "models" / "b.onnx").symlink_to(others / "shadow")
    (kept / "folder").symlink_to(others)
    give_tree(kept, 4711, 4712)
    mine = [kept, *kept.rglob("*")]
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in mine} == {(4711, 4712)}
    assert {path.stat().st_uid for path in (others, others / "shadow")} == {0}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
def test_a_folder_is_no_link_that_an_account_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir(mode=0o755)
    link = tmp_path / "serve"
    link.symlink_to(tmp_path / "etc")
    places = Places(tmp_path)
    places.folder("/serve", 0o755, owner="attendance-serve")
    os.lchown(link, 4711, 4711)
    with pytest.raises(InstallError, match="root did not make"):
        places.folder("/serve", 0o700, owner="attendance-serve")
    assert stat.S_IMODE((tmp_path / "etc").stat().st_mode) == 0o755


def test_the_first_administrator_is_there(installed: Machine) -> None:
    assert "operator@example.edu" in installed.attendance("lecturer", "list")


def test_the_operators_settings_are_left_alone(installed: Machine) -> None:
    file = installed.at("/etc/attendance/attendance.toml")
    text = file.read_text()
    assert tomllib.loads(text)["web"] == {
        "listen": f"127.0.0.1:{installed.web_port}",
        "trusted_proxies": 1,
        "secure_cookies": True,
        "address": f"https://localhost:{installed.https_port}",
    }
    file.write_text(text + "# mine\n")
    assert installed.install().returncode == 0
    assert file.read_text() == text + "# mine\n"
    file.write_text(text)


def test_a_certificate_of_ones_own_takes_the_place_of_the_trials(installed: Machine, tmp_path: Path) -> None:
    tls = installed.at("/etc/attendance/tls")
    trial = {name: (tls / name).read_text() for name in ("service.pem", "service.key")}
    installed.attendance("tls", "make-test-ca", str(tmp_path / "own"), "--host", "localhost")
    own = tmp_path / "own"
    done = installed.install("--certificate", str(own / "service.pem"), "--key", str(own / "service.key"))
    assert done.returncode == 0, done.stderr
    assert (tls / "service.pem").read_text() == (own / "service.pem").read_text()
    for name, text in trial.items():
        (tls / name).write_text(text)


def test_the_release_before_stays_and_older_ones_go(tmp_path: Path) -> None:
    places = Places(tmp_path)
    releases = tmp_path / "opt" / "attendance" / "releases"
    for name in ("one", "two", "three"):
        (releases / name).mkdir(parents=True)
        assert use_release(places, releases / name)
    assert not use_release(places, releases / "three")
    assert {path.name for path in releases.iterdir()} == {"two", "three"}
    assert (releases.parent / "previous").readlink() == releases / "two"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "no host"], "--host: 'no host' is no name"),
        (["--services", "127.0.0.1"], "'127.0.0.1' is no address and port"),
        (["--services", "127.0.0.1:1,127.0.0.1:1"], "an address is there twice"),
        (["--services", ","], "--services: none is given"),
        (["--database", "a`; DROP"], "--database"),
        (["--certificate", "/nowhere.pem"], "--certificate and --key belong together"),
        (["--certificate", "/nowhere.pem", "--key", "/nowhere.key"], "/nowhere.pem is no file"),
        (["--venv", "/nowhere"], "/nowhere has no attendance installed"),
        (["--host", "@HOST@"], "'@HOST@' is no name"),
        (["--institution", "@INSTITUTION@"], "--institution: @INSTITUTION@ was not replaced"),
        (["--institution", "x" * 121], "--institution: 1 to 120 letters"),
        (["--timezone", "Europe/Atlantis"], "--timezone: 'Europe/Atlantis' is no IANA time zone"),
        (["--timezone", "Europe"], "--timezone: 'Europe' is no IANA time zone"),
        (["--admin", "operator"], "--admin: 'operator' is no e-mail address"),
        (["--admin-name", "Ada"], "--admin-name belongs to --admin"),
        (["--https-port", "99999"], "--https-port: 99999 is no port"),
        (["--https-port", "7443", "--grpc-port", "7443"], "--grpc-port: the port 7443 is that of --https-port already"),
        (["--metrics-port", "1"], "--metrics-port (service 1): the port 1 is that of --services 127.0.0.1:1 already"),
        (["--database-admin", "/nowhere.cnf"], "--database-admin: /nowhere.cnf is no file"),
        (["--delete-data", "localhost"], "--delete-data belongs to --uninstall"),
        (["--uninstall"], "would be ignored"),
    ],
)
def test_a_wrong_answer_is_named_and_nothing_is_written(tmp_path: Path, words: list[str], says: str) -> None:
    done = Machine(tmp_path, (1,)).install(*words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    older = "import sys; sys.version_info, sys.version = (3, 10, 12), '3.10.12 (main)'; exec(sys.argv[2])"
    (tmp_path / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} -c "{older}" "$@"\n')
    (tmp_path / "python3").chmod(0o755)
    environ = clean_environ()
    done = run_installer("--help", environ=environ | {"PATH": f"{tmp_path}:{environ['PATH']}"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Python 3.11 or newer is needed, this is 3.10.12\n"


def test_a_database_that_is_away_is_named(tmp_path: Path) -> None:
    done = Machine(tmp_path, (1,)).install("--database-port", str(free_port(0)))
    assert done.returncode == 1
    assert "MariaDB" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir()), "all is checked before anything is written"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("postgresql://h/d", "should hold an address such as mysql+pymysql://user:password@host/name"),
        ("mysql+pymysql://u:p@ss@h/d", "has signs that must be written otherwise"),
        ("mysql+pymysql://u:p@127.0.0.1:1/d", "the database's server 127.0.0.1:1 cannot be reached from here"),
        ("mysql+pymysql://u:p@h", "lacks the name of the database"),
        ("", "should hold one line"),
    ],
)
def test_a_wrong_address_of_a_database_is_told_without_its_password(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "url"
    file.write_text(text)
    root = tmp_path / "root"
    done = run_installer("--root", root, "--host", "localhost", "--timezone", "Etc/UTC", "--database-url", file)
    assert done.returncode == 1
    assert says in done.stderr
    assert "p@ss" not in done.stderr
    assert not root.exists()


@pytest.mark.skipif(shutil.which("dash") is None, reason="Debian's sh checks the scripts")
@pytest.mark.parametrize("script", ["deploy/install", "deploy/attendance-command"])
def test_scripts_are_posix_shell(script: str) -> None:
    text = (SOURCE / script).read_text().replace("@AS_USER@", "")
    assert subprocess.run(["dash", "-n"], input=text, text=True, check=False).returncode == 0
