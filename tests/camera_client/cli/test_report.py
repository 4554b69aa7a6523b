import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from camera_client.cli.report import Reporter, tell_end
from camera_client.counts import Counts
from camera_client.frames import CapturedFrame
from camera_client.run import Run, StreamLimits
from camera_client.waiting import WaitingFrames
from protos.attendance.v1 import attendance_pb2 as pb


def a_run(*, keep_all: bool = True) -> Run:
    waiting = WaitingFrames(asyncio.get_running_loop(), keep_all=keep_all)
    return Run(camera="c1", waiting=waiting, counts=Counts(), limits=StreamLimits())


def capture_one(run: Run) -> None:
    run.waiting.put(CapturedFrame(datetime.now(UTC), b"", "a"))


def answer_one(run: Run) -> None:
    run.waiting.take()
    run.counts.sent += 1
    run.counts.answer(pb.FrameResult(outcome=pb.FRAME_OUTCOME_RECOGNIZED), 0.1, "")


async def progress_of(run: Run, monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> list[str]:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with capture_logs() as events:
        reporting = asyncio.create_task(Reporter(run, one_shot=True, interval_s=0.05).report())
        await asyncio.sleep(0.3)
        reporting.cancel()
    return [event["event"] for event in events]


async def test_progress_is_an_event_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "camera_progress" in await progress_of(a_run(), monkeypatch, terminal=False)
    assert capsys.readouterr().err == ""


async def test_progress_is_a_line_at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await progress_of(a_run(), monkeypatch, terminal=True) == []
    assert "0 frames sent, answers: none; 0 of 0 faces matched" in capsys.readouterr().err


async def test_a_run_whose_frames_were_all_answered_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run()
    capture_one(run)
    answer_one(run)
    assert tell_end(run, None, seconds=1) is None
    assert "Frames captured      1 in 1.0 s" in capsys.readouterr().out


async def test_what_is_not_well_is_told() -> None:
    left = a_run()
    capture_one(left)
    assert tell_end(left, None, seconds=1) == "1 of 1 frames were not dealt with"
    unanswered = a_run(keep_all=False)
    capture_one(unanswered)
    assert tell_end(unanswered, None, seconds=1) == "no frame was answered"
    assert tell_end(unanswered, "the webcam is gone", seconds=1) == "the webcam is gone"
    unanswered.stopping.set()
    assert tell_end(unanswered, None, seconds=1) == "stopped before the source ended"


async def test_frames_lost_on_the_way_are_no_failure_of_a_live_run() -> None:
    run = a_run(keep_all=False)
    capture_one(run)
    answer_one(run)
    run.counts.lost = 2
    assert tell_end(run, None, seconds=1) is None


async def test_a_run_without_frames_has_no_summary(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell_end(a_run(), "not a video", seconds=1) == "not a video"
    assert capsys.readouterr().out == ""
