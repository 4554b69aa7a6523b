"""Options of a first and of a second run: applied or refused, all before anything is written; and the way out."""

import shlex
import socket
import subprocess
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from sqlalchemy import make_url

from deploy.installer.places import InstallError, Places
from deploy.installer.settings_file import changed_settings
from deploy.installer.zone import choose_zone, machine_zone
from operations.certificates.facts import facts_of_file
from operations.demo.programs import free_port
from tests.deploy.machine import SOURCE, Machine, clean_environ, run_installer, tree


@pytest.fixture(scope="module")
def installed(make_machine: Callable[..., Machine]) -> Machine:
    return make_machine(services=1)


def certified(folder: Path, *, host: str = "localhost", days: int = 90) -> list[str]:
    """Options with a certificate for a host that ends in some days."""
    now = datetime.now(UTC)
    folder.mkdir()
    issued = trustme.CA().issue_cert(host, not_before=now - timedelta(days=10), not_after=now + timedelta(days=days))
    for part in issued.cert_chain_pems:
        part.write_to_path(folder / "own.pem", append=True)
    issued.private_key_pem.write_to_path(folder / "own.key")
    return ["--certificate", str(folder / "own.pem"), "--key", str(folder / "own.key")]


def test_a_certificate_that_nginx_could_not_use_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    good, other = certified(tmp_path / "good"), certified(tmp_path / "other")
    for words, says in (
        (certified(tmp_path / "over", days=-1), "certificate has expired"),
        (certified(tmp_path / "named", host="other.example.edu"), "certificate is not valid for 'localhost'"),
        ([*good[:2], *other[2:]], "the key does not fit"),
    ):
        done = Machine(tmp_path / "root", (1,)).install(*words)
        assert done.returncode == 1
        assert says in done.stderr, done.stderr
        assert not (tmp_path / "root").exists()


@pytest.mark.exhaustive
def test_a_second_run_applies_other_options_or_refuses_them(installed: Machine, tmp_path: Path) -> None:
    settings = installed.at("/etc/attendance/attendance.toml")
    before = tree(installed.root)
    for words, says in (
        (["--admin", "operator@example.edu", "--admin-name", "Somebody"], "operator@example.edu is called"),
        (["--host", "other.example.edu", *certified(tmp_path / "own")], "is not valid for 'other.example.edu'"),
        (["--uninstall", "--delete-data", "localhost"], "--uninstall: --database,"),
    ):
        done = installed.install(*words)
        assert done.returncode == 1
        assert says in done.stderr, done.stderr
        assert tree(installed.root) == before
    text = settings.read_text()
    port = free_port(0)
    done = run_installer(
        "--root", installed.root, "--institution", 'A "new" name', "--timezone", "Europe/Warsaw",
        "--web", f"127.0.0.1:{port}", "--host", "other.example.edu",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    now = tomllib.loads(settings.read_text())
    assert now["institution"] == {"name": 'A "new" name', "timezone": "Europe/Warsaw"}
    assert now["web"]["listen"] == f"127.0.0.1:{port}"
    assert f"server 127.0.0.1:{port} " in installed.at("/etc/nginx/sites-available/attendance").read_text()
    assert "Renewed the trial's certificates" in done.stdout, "they are for the other host"
    assert facts_of_file(installed.at("/etc/attendance/tls/service.pem")).is_for("other.example.edu")
    settings.write_text(text.replace("[institution]", "institution = 3 #"))
    done = run_installer("--root", installed.root, "--institution", "x")
    assert (done.returncode, "name of [institution] is written in a way of its own" in done.stderr) == (1, True)
    settings.write_text(text)
    assert installed.install("--institution", tomllib.loads(text)["institution"]["name"]).returncode == 0
    assert settings.read_text() == text


@pytest.mark.exhaustive
def test_a_certificate_that_is_over_or_soon_will_be(installed: Machine, tmp_path: Path) -> None:
    tls = installed.at("/etc/attendance/tls")
    trial = {file.name: file.read_text() for file in tls.iterdir()}
    over = certified(tmp_path / "over", days=-1)
    for name, option in (("service.pem", over[1]), ("service.key", over[3])):
        (tls / name).write_text(Path(option).read_text())
    done = installed.install()
    assert done.returncode == 0, "an upgrade is not held up by it"
    assert f"PROBLEM certificate: {tls}/service.pem expired on" in done.stdout
    assert f"{tls}/service.pem expired on" in installed.try_attendance("doctor").stdout
    (tls / "service.pem").write_text("no certificate")
    done = installed.install()
    assert f"Error: {tls}/service.pem is damaged: it holds no PEM certificate" in done.stdout
    for name, text in trial.items():
        (tls / name).write_text(text)


def test_a_zone_that_nobody_gave_is_the_machines_and_never_utc(tmp_path: Path) -> None:
    root, url = tmp_path / "root", tmp_path / "url"
    etc = root / "etc"
    etc.mkdir(parents=True)
    for zone in ("Etc/UTC", "UTC"):
        (etc / "timezone").write_text(f"{zone}\n")
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            url.write_text(f"mysql+pymysql://u:p@127.0.0.1:{elsewhere.getsockname()[1]}/attendance\n")
            done = run_installer("--root", root, "--host", "localhost", "--database-url", url)
        assert done.returncode == 1
        assert f"--timezone is needed: this machine is set to {zone}, as it is when nobody sets it" in done.stderr
        assert list(tree(root)) == ["etc", "etc/timezone"], "nothing was written"
    places = Places(root)
    (etc / "timezone").write_text("Africa/Nairobi\n")
    assert choose_zone(places) == "Africa/Nairobi"
    assert places.notes == ["The time zone is Africa/Nairobi, this machine's own; --timezone sets another."]
    (etc / "localtime").symlink_to("/usr/share/zoneinfo/America/Lima")
    assert machine_zone(places) == "America/Lima", "which the C library reads"


def test_a_zone_is_asked_for_at_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "timezone").write_text("Etc/UTC\n")
    asked: list[str] = []
    answers = iter(["", "Mars/Olympus", "UTC"])

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    assert choose_zone(Places(tmp_path)) == "Etc/UTC", "somebody said so"
    assert asked == ["Time zone of the institution, e.g. Europe/Warsaw: "] * 3


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ('[web]\nlisten = "a" # mine\n[log]\nlisten = "x"\n', '[web]\nlisten = "new" # mine\n[log]\nlisten = "x"\n'),
        ("[web] # ours\nkeys = 1\n", '[web] # ours\nlisten = "new"\nkeys = 1\n'),
        ("x = 1\n", 'x = 1\n\n[web]\nlisten = "new"\n'),
        ("[web]\nlisten = 'a'\n", '[web]\nlisten = "new"\n'),
    ],
)
def test_one_value_of_the_operators_file_is_changed_and_nothing_else(tmp_path: Path, text: str, ends: str) -> None:
    file = tmp_path / "etc" / "attendance" / "attendance.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert changed_settings(Places(tmp_path), {("web", "listen"): "new"}) == ends


@pytest.mark.parametrize(
    "text", ['web = {listen = "a"}\n', 'web.listen = "a"\n', '[web]\nlisten = """a\n"""\n', "web = 3\n"]
)
def test_a_value_that_is_written_in_a_way_of_its_own_is_left_to_a_person(tmp_path: Path, text: str) -> None:
    file = tmp_path / "etc" / "attendance" / "attendance.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(InstallError, match=r"listen of \[web\] is written in a way of its own"):
        changed_settings(Places(tmp_path), {("web", "listen"): "new"})


def test_a_backup_with_one_flipped_byte_is_named_and_nothing_is_touched(installed: Machine) -> None:
    people = installed.attendance("lecturer", "list")
    folder = installed.at("/var/lib/attendance/backups")
    installed.attendance("db", "backup", str(folder))
    (backup,) = folder.glob("*.sql.gz")
    data = bytearray(backup.read_bytes())
    data[len(data) // 3] ^= 0x08
    backup.write_bytes(data)
    done = installed.try_attendance("db", "restore", str(backup), "--replace")
    assert done.returncode == 1
    assert f"the backup {backup} is damaged: its SHA-256 is" in done.stderr
    assert "Traceback" not in done.stderr
    data[len(data) // 3] ^= 0x08
    backup.write_bytes(data)
    assert "Everybody signs in again." in installed.attendance("db", "restore", str(backup), "--replace")
    assert installed.attendance("lecturer", "list") == people


def test_a_trial_takes_no_other_installations_database(installed: Machine, admin_file: Path, tmp_path: Path) -> None:
    port = make_url(installed.unit("attendance-web").environ["ATTENDANCE_DATABASE_URL"]).port
    words = ("--database-port", port, "--database-admin", admin_file, "--timezone", "Etc/UTC", "--host", "localhost")
    done = run_installer("--root", tmp_path, *words, "--database", installed.database)
    assert done.returncode == 1
    assert f"MariaDB has a user {installed.database} already" in done.stderr
    assert list(tmp_path.iterdir()) == []
    assert "operator@example.edu" in installed.attendance("lecturer", "list"), "its password is as it was"


def test_an_uninstall_keeps_the_data_unless_asked_and_names_what_is_left(installed: Machine) -> None:
    machine = installed  # of which nothing is left afterwards
    people = machine.attendance("lecturer", "list")
    kept = tree(machine.at("/var/lib/attendance")) | tree(machine.at("/etc/attendance"))
    done = run_installer("--root", machine.root, "--uninstall")
    assert done.returncode == 0, done.stderr
    assert f"removed {machine.at('/usr/local/bin/attendance')}" in done.stdout
    for left in ("/var/lib/attendance", "/etc/attendance", "/var/log/attendance"):
        assert str(machine.at(left)) in done.stdout.partition("Left, with all that people entered: ")[2]
    assert f"the database {machine.database} in MariaDB" in done.stdout
    assert tree(machine.at("/var/lib/attendance")) | tree(machine.at("/etc/attendance")) == kept
    for gone in ("/opt/attendance/current", "/etc/nginx/sites-enabled/attendance", "/var/cache/attendance"):
        assert not machine.at(gone).exists()
    assert not [file for file in machine.at("/etc/systemd/system").rglob("*") if file.is_file()]
    assert "nothing was changed" in run_installer("--root", machine.root, "--uninstall").stdout
    assert run_installer("--root", machine.root).returncode == 0
    assert machine.attendance("lecturer", "list") == people, "it is taken up again"

    wrong = run_installer("--root", machine.root, "--uninstall", "--delete-data", "elsewhere.example.edu")
    assert (wrong.returncode, "this one's is localhost" in wrong.stderr) == (1, True)
    done = run_installer("--root", machine.root, "--uninstall", "--delete-data", "localhost")
    assert done.returncode == 0, done.stderr
    assert f"removed the database {machine.database} and its user from MariaDB" in done.stdout
    assert "Left" not in done.stdout
    assert not [path for path in machine.root.rglob("*attendance*") if path.is_file()]


def test_data_on_another_disk_is_deleted_where_it_is_mounted_and_named_where_a_link_leads(tmp_path: Path) -> None:
    root, disk = tmp_path / "root", tmp_path / "disk"
    places = Places(root)
    backups = places.at("/var/lib/attendance/backups")
    for folder in (backups, disk):
        folder.mkdir(parents=True)
    (disk / "encodings.pickle").touch()
    places.at("/var/lib/attendance/gallery").symlink_to(disk)
    places.write("/etc/attendance/install.json", '{"host": "localhost", "database": ""}')
    uninstall = shlex.join([str(SOURCE / "deploy" / "install"), "--root", str(root), "--uninstall"])
    script = f"""
        mount -t tmpfs none {backups} && touch {backups}/a.sql.gz || exit 77
        {uninstall} --delete-data localhost && find {root}/var/lib/attendance -mindepth 1
    """
    words = ["unshare", "--mount", "sh", "-c", script]
    done = subprocess.run(words, env=clean_environ(), capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("only root mounts a disk")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(backups), "empty"
    assert f"Not removed, because only links led there: {disk}." in done.stdout
    assert "Left" not in done.stdout
