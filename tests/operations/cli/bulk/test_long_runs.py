"""Commands that run for hours end by a signal in a sentence, and tell a log now and then how far they are."""

import signal
from functools import partial
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console

from operations.cli.bulk import long_runs
from operations.cli.bulk.long_runs import INTERRUPTED, LogOfPace, stopped_by_signals


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_in_a_sentence(how: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    of_ctrl_c = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    with pytest.raises(SystemExit) as ended, stopped_by_signals():
        signal.raise_signal(how)  # in this thread: `os.kill` may come when it is no longer waited for
    signal.signal(signal.SIGINT, of_ctrl_c)
    assert ended.value.code == INTERRUPTED
    assert capsys.readouterr().err == "Stopped. What is done is kept; give the same command to go on.\n"
    assert signal.getsignal(signal.SIGTERM) == before


def _said(pace: LogOfPace, done: float) -> str:
    return f"{done:.0%} done; {pace.left(done)}"


def test_a_log_is_told_every_half_minute_and_a_terminal_never(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(long_runs, "time", SimpleNamespace(monotonic=lambda: now))
    file, terminal = StringIO(), StringIO()
    log, shown = (LogOfPace(Console(file=one, force_terminal=one is terminal)) for one in (file, terminal))
    for passed, done in ((10, 0.1), (31, 0.25), (40, 0.3), (62, 0.5)):
        now = 1000.0 + passed
        for pace in (log, shown):
            pace.tell(partial(_said, pace, done))
    assert file.getvalue() == "25% done; about 0:01:33 left\n50% done; about 0:01:02 left\n"
    assert terminal.getvalue() == ""
    assert log.left(0) == "too early to say how long it takes"
