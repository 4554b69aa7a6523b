"""A machine without systemd: an installation under a scratch root, and its units' programs on loopback."""

import hashlib
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from operations.demo.dashboard import Dashboard
from operations.demo.programs import free_port
from tests.deploy.units import Unit

SOURCE = Path(__file__).parents[2]
_SERVICE = "attendance-serve"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NGINX = """
daemon off;
{user}
pid {root}/run/nginx.pid;
error_log stderr;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {root}/tmp/body;
    proxy_temp_path {root}/tmp/proxy;
    fastcgi_temp_path {root}/tmp/fastcgi;
    uwsgi_temp_path {root}/tmp/uwsgi;
    scgi_temp_path {root}/tmp/scgi;
    include {root}/etc/nginx/sites-enabled/*;
}}
"""


def clean_environ() -> dict[str, str]:
    """What systemd gives a program, about: no settings from outside."""
    return {"PATH": _PATH, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def tree(root: Path) -> dict[str, tuple[str, str, int]]:
    """What is under a folder: for each path its mode, what it holds, and when it was written."""
    found = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(root))] = (stat.filemode(status.st_mode), content, status.st_mtime_ns)
    return found


def run_installer(*words: object, environ: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """The installer with these options alone; nobody can be asked."""
    command = [str(SOURCE / "deploy" / "install"), *map(str, words)]
    return subprocess.run(
        command, env=environ or clean_environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@dataclass
class Machine:
    """One installation.

    Attributes:
        root: stands for `/`.
        service_ports: of recognition services; the first is instance 1.
    """

    root: Path
    service_ports: tuple[int, ...] = ()
    database: str = field(default_factory=lambda: f"deploy_{secrets.token_hex(4)}")
    http_port: int = field(default_factory=lambda: free_port(0))
    https_port: int = field(default_factory=lambda: free_port(0))
    grpc_port: int = field(default_factory=lambda: free_port(0))
    web_port: int = field(default_factory=lambda: free_port(0))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def at(self, path: str) -> Path:
        """Where `/path` is."""
        return self.root / path.lstrip("/")

    @property
    def ca(self) -> Path:
        """The certificate authority of cameras and browsers."""
        return self.at("/etc/attendance/tls/ca.pem")

    def install(self, *words: str, environ: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the installer as an operator does, with the environment of this test run instead of a new one."""
        ports = [f"--{name}-port={getattr(self, f'{name}_port')}" for name in ("http", "https", "grpc")]
        services = ",".join(f"127.0.0.1:{port}" for port in self.service_ports)
        zone = () if "--timezone" in words else ("--timezone", "Etc/UTC")
        return run_installer(
            "--root", self.root, "--host", "localhost", "--venv", sys.prefix, *ports, *zone,
            "--web", f"127.0.0.1:{self.web_port}", "--services", services, "--metrics-port", "0",
            "--database", self.database, *words, environ=environ,
        )  # fmt: skip

    def try_attendance(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the operator's command, however it ends."""
        command = [str(self.at("/usr/local/bin/attendance")), *words]
        return subprocess.run(command, env=clean_environ(), capture_output=True, text=True, check=False)

    def attendance(self, *words: str) -> str:
        """Run the operator's command."""
        done = self.try_attendance(*words)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def unit(self, name: str, instance: str = "") -> Unit:
        """A unit as it was installed."""
        template = f"{name}@" if instance else name
        return Unit(self.at(f"/etc/systemd/system/{template}.service"), instance)

    def start_unit(self, name: str, instance: str = "") -> None:
        """Start what a unit's ExecStart says, with its environment."""
        unit = self.unit(name, instance)
        self.start(name + instance, unit.command, unit.environ, unit.values("WorkingDirectory")[0])

    def start_service(self, number: int) -> None:
        """Start a recognition service and wait until it recognises."""
        self.start_unit(_SERVICE, str(number))
        self.wait_until(lambda: self.metric(number, "attendance_ready") == 1, f"service {number} is not ready")

    def start_nginx(self) -> None:
        """Start nginx with the site, under a main file such as Debian's."""
        for folder in ("run", "tmp"):
            (self.root / folder).mkdir(exist_ok=True)
        # As root its workers would be nobody, who cannot see into the folders of a test.
        user = "user root;" if os.geteuid() == 0 else ""
        main = self.root / "nginx.conf"
        main.write_text(_NGINX.format(root=self.root, user=user))
        words = [shutil.which("nginx", path=_PATH) or "nginx", "-c", str(main), "-e", "stderr"]
        checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        self.start("nginx", words, {}, str(self.root))
        self.wait_until(self.browser().answers, "the dashboard does not answer through nginx")

    def start(self, name: str, words: list[str], environ: dict[str, str], folder: str) -> None:
        """Start a program that ends with this process, however that ends."""
        logs = self.root / "test-logs"
        logs.mkdir(exist_ok=True)
        with (logs / name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                [shutil.which("setpriv") or "setpriv", "--pdeathsig", "TERM", *words],
                env=clean_environ() | environ, cwd=folder, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """End a program and its children at once, as a power cut would."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def send_signal(self, name: str, what: signal.Signals) -> None:
        """Send a program a signal."""
        self.running[name].send_signal(what)

    def reload_nginx(self) -> None:
        """Let nginx read its site again, as `systemctl reload nginx` does."""
        self.send_signal("nginx", signal.SIGHUP)

    def end(self, *names: str) -> None:
        """End programs as systemd does."""
        for name in names:
            process = self.running.pop(name, None)
            if process is not None:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def stop(self) -> None:
        """End every program, last started first."""
        self.end(*reversed(list(self.running)))

    def wait_until(self, done: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
        """Wait; fails with the ends of the logs when a program ends badly or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not done():
            ended = [name for name, process in self.running.items() if process.poll() not in (None, 0)]
            assert not ended, f"{what}; ended: {ended}\n{self._logs()}"
            assert time.monotonic() < deadline, f"{what}\n{self._logs()}"
            time.sleep(0.1)

    def has_ended(self, name: str) -> bool:
        return self.running[name].poll() is not None

    def metric(self, number: int, name: str) -> float:
        """A gauge of a recognition service; not a number while there is none."""
        log = self.root / "test-logs" / f"{_SERVICE}{number}"
        addresses = [
            json.loads(line)["address"] for line in log.read_text().splitlines() if "metrics_listening" in line
        ]
        try:
            with self._opener().open(f"http://{addresses[-1]}/metrics", timeout=10) as answer:
                found = re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)
        except (IndexError, OSError):
            found = None
        return float(found[1]) if found else float("nan")

    def has_stored(self) -> bool:
        """Whether the recognition services that run have brought the database all that they know."""
        numbers = [int(name.removeprefix(_SERVICE)) for name in self.running if name.startswith(_SERVICE)]
        return all(self.metric(number, "attendance_outbox_sightings") == 0 for number in numbers)

    def browser(self) -> "Browser":
        """A browser that knows the certificate authority."""
        return Browser(f"https://localhost:{self.https_port}", self.ca)

    def _opener(self) -> urllib.request.OpenerDirector:
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def _logs(self) -> str:
        files = sorted((self.root / "test-logs").iterdir())
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-1500:]}" for file in files)


class Browser(Dashboard):
    """A visitor over HTTPS, who tells where they come from, as browsers do."""

    def __init__(self, address: str, ca: Path) -> None:
        super().__init__(address)
        self._browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)),
        )
        self._browser.addheaders = [("Referer", f"{address}/")]
        self.address = address

    def open(self, path: str, timeout: float = 60) -> http.client.HTTPResponse:
        """The answer, which is read as it comes."""
        answer: http.client.HTTPResponse = self._browser.open(self.address + path, timeout=timeout)
        return answer
