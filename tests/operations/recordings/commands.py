"""The command in a process of its own, and what a run comes to that nobody disturbs."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from attendance.settings import Settings
from tests.operations.recordings.lectures import term, twelve

ROOT = Path(__file__).parents[3]


def begin_command(words: list[str]) -> "subprocess.Popen[str]":
    """The command in a process of its own, with the engine of colours in place of the real one."""
    program = (
        "import sys\n"
        "from operations.cli import recordings\n"
        "from operations.recordings.assembling import Engine\n"
        "from attendance.settings.families import Family\n"
        "from tests.recognition_service.engines import build\n"
        "recordings.engine_of_settings = lambda s: Engine(build, build().info, s.matching.rules(Family.DLIB))\n"
        "from operations.cli.main import main\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    script = Path(os.environ["ATTENDANCE_DATA_DIRECTORY"]) / "run.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(script), *words],
        env=environment,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def end_command(process: "subprocess.Popen[str]", *, how: signal.Signals | None = None, longest_s: float = 250) -> str:
    """Wait for its end, or end it; what it said."""
    if how is not None:
        process.send_signal(how)
    output, _ = process.communicate(timeout=longest_s)
    return output


def run_command(words: list[str]) -> str:
    """What a run says that must end well."""
    process = begin_command(words)
    output = end_command(process)
    assert process.returncode == 0, output
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
