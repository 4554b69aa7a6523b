import asyncio
import os
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from click.testing import CliRunner, Result

from operations.cli.main import attendance
from protos.attendance.v1 import attendance_pb2 as pb
from tests.camera_client.live_servers import HttpCamera
from tests.camera_client.moving_pictures import number_of
from tests.camera_client.programs import SECRET
from tests.camera_client.scripted_service import Behaviour, ScriptedService

Start = Callable[..., Any]


async def test_a_video_sent_as_fast_as_possible(start: Start, start_service: Any, mp4: Path) -> None:
    service = ScriptedService()
    port = await start_service(service)
    program = await start(
        port, "--source", str(mp4), "--rate", "5", "--as-fast-as-possible", "--start-time", "2026-03-02T08:00Z"
    )
    assert await program.end() == 0, program.err
    times = [frame.capture_time.ToDatetime(tzinfo=UTC) for frame in service.frames]
    first = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert times == [first + timedelta(seconds=number / 5) for number in range(15)]
    assert [number_of(frame.jpeg) for frame in service.frames] == list(range(0, 30, 2))
    assert all(frame.replayed and frame.recording for frame in service.frames)
    assert "Frames sent          15\n" in program.out
    assert "Answers              15 (recognized 15)" in program.out
    assert "Students confirmed   1" in program.out
    assert program.event("camera_stopped")["sent"] == 15


async def test_a_folder_through_a_service_that_fails_twice(start: Start, start_service: Any, folder: Path) -> None:
    (folder / "03.jpg").write_bytes(b"\xff\xd8 broken")
    failing = Behaviour(abort_after=2)
    service = ScriptedService([failing, failing, Behaviour()])
    program = await start(await start_service(service), "--source", str(folder), "--as-fast-as-possible")
    assert await program.end() == 0, program.err
    assert "Frames captured      5" in program.out
    assert "Reconnects           2" in program.out
    assert program.event("picture_skipped")["reason"] == "it is no picture, or a damaged one"
    assert program.event("service_unreachable")["attempt"] == 1


async def test_a_damaged_video_is_sent_as_far_as_it_goes_and_is_no_success(
    start: Start, start_service: Any, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "cut.avi").write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    service = ScriptedService()
    port = await start_service(service)
    program = await start(port, "--source", "cut.avi", "--rate", "5", "--as-fast-as-possible")
    assert await program.end() == 1
    assert "Error: cut.avi: damaged: pictures are missing from 1." in program.err
    assert 5 <= len(service.frames) <= 8
    assert f"(recognized {len(service.frames)})" in program.out
    assert "to 3.0 s" in program.event("video_damaged")["missing"]


async def test_capture_times_of_a_played_video_are_the_wall_clock(
    start: Start, start_service: Any, video: Path
) -> None:
    service = ScriptedService()
    port = await start_service(service)
    before = datetime.now(UTC)
    program = await start(port, "--source", str(video), "--rate", "4", "--max-width", "160")
    assert await program.end() == 0, program.err
    times = [frame.capture_time.ToDatetime(tzinfo=UTC) for frame in service.frames]
    assert before < times[0] < times[-1] < datetime.now(UTC)
    assert times[-1] - times[0] >= timedelta(seconds=2.4)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_stream_cleanly(
    start: Start, start_service: Any, folder: Path, number: signal.Signals
) -> None:
    service = ScriptedService([Behaviour(latency_s=0.2)])
    program = await start(await start_service(service), "--source", str(folder), "--rate", "20", "--loop")
    await asyncio.wait_for(service.got_frame.wait(), 30)
    program.process.send_signal(number)
    assert await program.end() == 0, program.err
    assert service.half_closed == 1
    assert program.event("stop_asked")["signal"] == number.name
    assert program.event("camera_stopped")["lost"] == 0
    assert program.out == ""


async def test_a_signal_before_the_end_of_a_recording_is_no_success(
    start: Start, start_service: Any, video: Path
) -> None:
    service = ScriptedService()
    program = await start(await start_service(service), "--source", str(video))
    await asyncio.wait_for(service.got_frame.wait(), 30)
    program.process.send_signal(signal.SIGTERM)
    assert await program.end() == 1
    assert "Error: stopped before the source ended" in program.err
    assert "Frames sent" in program.out


async def test_a_network_camera_for_a_number_of_frames(start: Start, start_service: Any) -> None:
    camera = HttpCamera()
    try:
        service = ScriptedService()
        port = await start_service(service)
        program = await start(port, "--rate", "10", "--frames", "3", ATTENDANCE_CAMERA_SOURCE=camera.address)
        assert await program.end() == 0, program.err
    finally:
        await asyncio.to_thread(camera.close)
    assert 1 <= len(service.frames) <= 3
    assert "Frames captured      3" in program.out
    assert "hunter2" not in program.out + program.err


async def test_a_capture_that_hangs_does_not_keep_the_program(start: Start, start_service: Any) -> None:
    """A camera that accepts and then says nothing holds FFmpeg for ten seconds; nobody waits for that."""
    service = ScriptedService()
    port = await start_service(service)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = await start(port, "--source", f"rtsp://127.0.0.1:{silent.getsockname()[1]}/live")
        while not service.frames_of_call:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)
        program.process.send_signal(signal.SIGTERM)
        assert await program.end() == 0, program.err


async def test_an_absent_service_is_given_up_with_status_1(start: Start, folder: Path) -> None:
    program = await start(9, "--source", str(folder), "--as-fast-as-possible", "--give-up-after", "0.5")
    assert await program.end() == 1
    assert "Error: the service at 127.0.0.1:9 could not be reached for 0.5 s: gave up" in program.err
    assert program.event("service_unreachable")["code"] == "UNAVAILABLE"
    assert "Frames sent          0" in program.out


async def test_a_refused_camera_is_told_what_to_do(start: Start, start_service: Any, folder: Path) -> None:
    service = ScriptedService([Behaviour(refuse=(grpc.StatusCode.UNAUTHENTICATED, f"unknown token {SECRET}"))])
    program = await start(await start_service(service), "--source", str(folder))
    assert await program.end() == 1
    last = program.err.strip().splitlines()[-1]
    assert last.startswith("Error: the service at 127.0.0.1:")
    assert "`attendance camera rotate c1`" in last


async def test_frames_that_were_given_up_are_no_success(start: Start, start_service: Any, folder: Path) -> None:
    service = ScriptedService([Behaviour(outcome=lambda _: pb.FRAME_OUTCOME_UNAVAILABLE)])
    port = await start_service(service)
    program = await start(
        port, "--source", str(folder), "--as-fast-as-possible", "--frames", "2", ATTENDANCE_CAMERA_RESEND_LIMIT="1"
    )
    assert await program.end() == 1
    assert "Error: 2 of 2 frames were not dealt with" in program.err
    assert "The service on unavailable: because of FRAME_OUTCOME_UNAVAILABLE" in program.out


async def test_the_token_is_not_on_the_command_line(start: Start, start_service: Any, folder: Path) -> None:
    token_file = folder.parent / "token"
    token_file.write_text(SECRET)
    token_file.chmod(0o600)
    service = ScriptedService()
    port = await start_service(service)
    program = await start(
        port, "--source", str(folder), "--loop", "--token-file", str(token_file), ATTENDANCE_CAMERA_TOKEN="cam_other"
    )
    await asyncio.wait_for(service.got_frame.wait(), 30)
    arguments = Path(f"/proc/{program.process.pid}/cmdline").read_bytes()
    assert SECRET.encode() not in arguments
    assert service.authorizations == [f"Bearer {SECRET}"]
    program.process.terminate()
    assert await program.end() == 0


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command here, for what is told before anything starts."""
    for key in [key for key in os.environ if key.startswith("ATTENDANCE_")]:
        monkeypatch.delenv(key)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str, **environment: str) -> Result:
        given = {"ATTENDANCE_CAMERA_NAME": "c1", "ATTENDANCE_CAMERA_TOKEN": SECRET} | environment
        for key, value in given.items():
            monkeypatch.setenv(key, value)
        result = CliRunner().invoke(attendance, ["camera", "run", *arguments])
        assert SECRET not in result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result

    return invoke


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([], {}, "no source: give --source, or set ATTENDANCE_CAMERA_SOURCE"),
        (["--source", "absent.mp4"], {}, "absent.mp4: no such file or folder"),
        (["--source", "gopher://cam"], {}, "unknown kind of address"),
        (["--source", "."], {"ATTENDANCE_CAMERA_TOKEN": ""}, "token (setting ATTENDANCE_CAMERA_TOKEN) is empty"),
        (["--source", "."], {"ATTENDANCE_CAMERA_NAME": ""}, "no name: give --name, or set ATTENDANCE_CAMERA_NAME"),
        (["--source", ".", "--token-file", "absent"], {}, "the token file absent cannot be read: No such file"),
        (["--source", ".", "--server", "10.0.0.1:50051"], {}, "ATTENDANCE_CAMERA_ALLOW_PLAINTEXT=true"),
        (["--source", ".", "--server", "nowhere"], {}, "host:port is expected"),
        (["--source", ".", "--tls-ca", "absent.pem"], {}, "ATTENDANCE_CAMERA_TLS_CA: absent.pem cannot be read"),
        (["--source", "0", "--loop"], {}, "--loop is for a video file or a folder of images"),
        (["--source", "0", "--as-fast-as-possible"], {}, "--as-fast-as-possible is for a video file"),
        (["--source", "rtsp://c/x", "--start-time", "2026-03-02T08:00"], {}, "--start-time is for a video file"),
        (["--source", ".", "--loop", "--once"], {}, "--loop never ends"),
        (["--source", ".", "--start-time", "yesterday"], {}, "'yesterday' is no ISO 8601 date and time"),
        (["--source", ".", "--start-time", "2026-03-02T08:00"], {}, "is not set on this machine: write the offset"),
        (["--source", "rtsp://a:p/w@cam/live"], {}, "rtsp://a:***@cam/live: the address ends before its @"),
        (["--source", ".", "--rate", "0"], {}, "0.0 is not in the range 0<x<=60"),
        (["--source", ".", "--quality", "10"], {}, "10 is not in the range"),
    ],
)
def test_what_is_wrong_is_one_clear_sentence(
    run: Callable[..., Result], arguments: list[str], environment: dict[str, str], words: str
) -> None:
    result = run(*arguments, **environment)
    assert result.exit_code in {1, 2}
    assert words in " ".join(result.output.split())


def test_a_missing_token_names_its_settings(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    run("--source", "absent")
    monkeypatch.delenv("ATTENDANCE_CAMERA_TOKEN")
    result = CliRunner().invoke(attendance, ["camera", "run", "--source", "."])
    assert result.exit_code == 1
    assert "set ATTENDANCE_CAMERA_TOKEN" in result.output
    assert "--token-file (setting ATTENDANCE_CAMERA_TOKEN_FILE)" in result.output


def test_a_wrong_setting_is_told_by_name(run: Callable[..., Result]) -> None:
    result = run("--source", ".", ATTENDANCE_CAMERA_RESEND_LIMIT="many")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: wrong settings\nATTENDANCE_CAMERA_RESEND_LIMIT: ")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("text.mp4", b"hello\n" * 50, "text.mp4: not a video that FFmpeg can read"),
        ("empty.avi", b"", "empty.avi: the file is empty"),
        ("broken.jpg", b"\xff\xd8 broken", "broken.jpg: none of its pictures can be read"),
    ],
)
async def test_what_is_no_video_is_told_without_a_service(
    start: Start, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    program = await start(9, "--source", name)
    assert await program.end() == 1
    assert f"Error: {words}" in program.err
    assert program.out == ""


@pytest.mark.skipif(Path("/dev/video63").exists(), reason="this machine has 64 webcams")
async def test_a_missing_webcam_is_told(start: Start) -> None:
    program = await start(9, "--source", "63")
    assert await program.end() == 1
    assert "Error: webcam 63: there is no /dev/video63" in program.err
