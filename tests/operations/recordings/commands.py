"""The command in a process of its own, and what a run comes to that nobody disturbs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from attendance.settings import Settings
from tests.operations.recordings.lectures import term, twelve

ROOT = Path(__file__).parents[3]
LARGEST_FILE = "TEST_LARGEST_FILE"
"""Names in a command's environment how many bytes a file of it may have."""


def begin_command(words: list[str], environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
    """The command in a process of its own, with the engine of colours in place of the real one."""
    program = (
        "import os, resource\n"
        f"if (largest := os.environ.get({LARGEST_FILE!r})) is not None:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), int(largest)))\n"
        "from operations.cli.bulk import recordings\n"
        "from operations.recordings.assembling import Engine\n"
        "from attendance.settings.families import Family\n"
        "from tests.operations.recordings.own_models import build\n"
        "recordings.engine_of_settings = lambda s: Engine(build, build().info, s.matching.rules(Family.DLIB))\n"
        "from operations.cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    script = Path(os.environ["ATTENDANCE_DATA_DIRECTORY"]) / "run.py"
    script.write_text(program)
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=script.parent,  # Ray has its machines look for code where the command was given
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


class Listener:
    """Hears what a command says, as it says it."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._began = time.monotonic()
        assert process.stdout is not None
        self._pipe = process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self.text = ""

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self._began

    def until(self, happened: Callable[[], bool], longest_s: float = 240) -> None:
        """Wait for something, which must come before the command ends."""
        until = time.monotonic() + longest_s
        while True:
            ended = self._process.poll() is not None
            self._hear()
            if happened():
                return
            assert not ended, self.text
            assert time.monotonic() < until, self.text
            time.sleep(0.1)

    def until_it_ends(self, longest_s: float = 240) -> None:
        """Wait for its end."""
        self.until(lambda: self._process.poll() is not None, longest_s)
        self._hear()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while said := os.read(self._pipe, 65_536):
                self.text += said.decode(errors="replace")


def end_command(process: "subprocess.Popen[str]", *, how: signal.Signals | None = None, longest_s: float = 250) -> str:
    """Wait for its end, or end it; what it said."""
    if how is not None:
        process.send_signal(how)
    output, _ = process.communicate(timeout=longest_s)
    return output


def run_command(words: list[str], environment: Mapping[str, str] | None = None, *, status: int = 0) -> str:
    """What a run says that must end with a status, well unless given."""
    process = begin_command(words, environment)
    output = end_command(process)
    assert process.returncode == status, output
    return output


def expected_register(tmp_path: Path) -> list[tuple[object, ...]]:
    """What one run over the same clips, undisturbed, comes to; the installation is another."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    settings = Settings.model_validate(
        {
            "data": {"directory": folder / "data"},
            "database": {"url": f"sqlite:///{folder / 'data' / 'attendance.db'}"},
            "attendance": {"settle_minutes": 0},
        }
    )
    with term(folder, settings) as other:
        twelve(other)
        assert other.run("local:1").left == []
        register = other.register()
    assert len(register) > 36
    return without_ids(register)


def without_ids(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The names of evidence hang on the index, which was published at another time."""
    return sorted(
        (tuple(one for one in row if not (isinstance(one, str) and len(one) == 36)) for row in rows), key=repr
    )
