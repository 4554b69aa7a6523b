"""`attendance camera run`: stream frames to the recognition service."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
import structlog

from attendance.settings import Settings, load_settings
from attendance.settings.logs import configure_logging
from camera_client.cli.report import Reporter, tell_end
from camera_client.cli.start_time import parse_start
from camera_client.client import CameraClient, CaptureThread, RefusedError
from camera_client.clock import CameraClock
from camera_client.connection import ConnectError, Connection, Token
from camera_client.counts import Counts
from camera_client.frames import FrameSource
from camera_client.jpeg import JpegEncoder
from camera_client.run import Run, StreamLimits
from camera_client.sources import SourceOptions, kind_of, open_source
from camera_client.spool.folder import Spool, SpoolError, SpoolLimits, folder_of
from camera_client.spool.replay import Replay
from camera_client.stream import GaveUpError
from camera_client.waiting import WaitingFrames

# A capture that hangs in a driver or in the network is not waited for longer than this, seconds.
_CAPTURE_END_S = 3.0

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Choices:
    """What the command line decides beside the settings."""

    one_shot: bool
    loop: bool
    keep_all: bool
    start: datetime | None
    frames: int | None
    give_up_after_s: float


@click.command()
@click.option("--source", help="Webcam number, rtsp:// or http:// address, video file, or folder of images.")
@click.option("--rate", type=click.FloatRange(0, 60, min_open=True), help="Frames sampled a second.")
@click.option("--loop", is_flag=True, help="Start a video or folder again at its end, for ever.")
@click.option(
    "--stop-at-end",
    "--once",
    "stop_at_end",
    is_flag=True,
    help="End with the source, print a summary, and give up when the service stays away. "
    "Always so for a video or folder without --loop; a webcam or network camera then is not opened again.",
)
@click.option("--frames", type=click.IntRange(min=1), help="End after so many frames, as with --stop-at-end.")
@click.option(
    "--as-fast-as-possible",
    is_flag=True,
    help="Do not play a video or folder in real time: send every sampled frame as fast as the service takes it, "
    "with the capture times of the recording, and send again what was not dealt with.",
)
@click.option(
    "--start-time",
    metavar="ISO",
    help="Capture time of a recording's first frame, e.g. 2026-03-02T08:00+01:00 or 2026-03-02T07:00Z. Without an "
    "offset it is in the institution's time zone, which must be set (institution.timezone). Default: now.",
)
@click.option(
    "--give-up-after",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="With --stop-at-end: how long to keep trying while nothing succeeds.",
)
@click.option("--server", help="Address and port of the recognition service.")
@click.option("--name", help="The camera's name, as `attendance camera add` was given it.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="File that holds the camera's token alone. (Never given on the command line, which all users can see.)",
)
@click.option(
    "--recording-token-file",
    type=click.Path(path_type=Path),
    help="File that holds the token of an operator with the recording role: the recording counts for sessions that are "
    "closed, too.",
)
@click.option("--tls-ca", type=click.Path(path_type=Path), help="PEM certificate authority of the service.")
@click.option("--quality", type=click.IntRange(30, 100), help="JPEG quality.")
@click.option("--max-width", type=click.IntRange(160, 16_384), help="Scale wider frames down to this many pixels.")
def run(
    *,
    stop_at_end: bool,
    loop: bool,
    frames: int | None,
    as_fast_as_possible: bool,
    start_time: str | None,
    give_up_after: float,
    **overrides: str | float | Path | None,
) -> None:
    """Stream frames to the recognition service.

    What is not given here comes from the settings of the section "camera" (see `attendance config`), the token among
    them.
    """
    settings = _overridden(load_settings(), overrides)
    configure_logging(settings.log)
    if settings.camera.source is None or not settings.camera.source.get_secret_value():
        raise click.UsageError("no source: give --source, or set ATTENDANCE_CAMERA_SOURCE")
    text = settings.camera.source.get_secret_value()
    live = kind_of(text).live
    _check_combination(live, loop=loop, fast=as_fast_as_possible, start=start_time, stop_at_end=stop_at_end)
    choices = _Choices(
        one_shot=stop_at_end or frames is not None or not (live or loop),
        loop=loop,
        keep_all=as_fast_as_possible,
        start=None if start_time is None else parse_start(start_time, settings.institution),
        frames=frames,
        give_up_after_s=give_up_after,
    )
    connection = _connection(settings)
    source = _source(text, settings, choices)
    _end(asyncio.run(_stream(settings, choices, connection, source)))


def _overridden(settings: Settings, overrides: dict[str, str | float | Path | None]) -> Settings:
    """The settings, with what the command line gives in their place; it is validated like any setting."""
    given = {key: value for key, value in overrides.items() if value is not None}
    for name in ("token", "recording_token"):
        if f"{name}_file" in given:
            given[name] = None  # type: ignore[assignment]
    camera = type(settings.camera).model_validate({**dict(settings.camera), **given})
    return settings.model_copy(update={"camera": camera})


def _check_combination(live: bool, *, loop: bool, fast: bool, start: str | None, stop_at_end: bool) -> None:
    if live:
        for option, given in (("--loop", loop), ("--as-fast-as-possible", fast), ("--start-time", start is not None)):
            if given:
                raise click.UsageError(f"{option} is for a video file or a folder of images, not for a live source")
    if loop and stop_at_end:
        raise click.UsageError("--loop never ends, so it cannot be combined with --stop-at-end")


def _connection(settings: Settings) -> Connection:
    camera = settings.camera
    if not camera.name:
        raise ConnectError("the camera has no name: give --name, or set ATTENDANCE_CAMERA_NAME")
    if camera.token is not None:
        token = Token.of_value(camera.token.get_secret_value())
    elif camera.token_file is not None:
        token = Token.of_file(camera.token_file)
    else:
        raise ConnectError(
            "the camera has no token: set ATTENDANCE_CAMERA_TOKEN to what `attendance camera add` printed, or keep it "
            "in a file and give --token-file (setting ATTENDANCE_CAMERA_TOKEN_FILE)"
        )
    connection = Connection(
        camera.server,
        token=token,
        tls_ca=camera.tls_ca,
        allow_plaintext=camera.allow_plaintext,
        camera=camera.name,
        recording=_recording_token(settings),
    )
    connection.check()
    return connection


def _recording_token(settings: Settings) -> Token | None:
    camera = settings.camera
    if camera.recording_token is not None:
        whose = "the operator's token for recordings (setting ATTENDANCE_CAMERA_RECORDING_TOKEN)"
        return Token.of_value(camera.recording_token.get_secret_value(), whose)
    return None if camera.recording_token_file is None else Token.of_file(camera.recording_token_file)


def _source(text: str, settings: Settings, choices: _Choices) -> FrameSource:
    camera = settings.camera
    options = SourceOptions(
        rate=camera.rate,
        loop=choices.loop,
        paced=not choices.keep_all,
        start=choices.start,
        webcam_size=(camera.webcam_width, camera.webcam_height),
        ends=choices.one_shot,
        give_up_after_s=choices.give_up_after_s if choices.one_shot else None,
    )
    encoder = JpegEncoder(quality=camera.quality, max_width=camera.max_width, max_bytes=camera.max_frame_bytes)
    return open_source(text, options, encoder=encoder)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a run ended: a sentence if badly; whether the capture thread hangs where nothing can stop it."""

    problem: str | None
    capture_hangs: bool


async def _stream(settings: Settings, choices: _Choices, connection: Connection, source: FrameSource) -> _Ending:
    camera = settings.camera
    clock = CameraClock()
    spool = None if choices.one_shot or choices.keep_all else _spool(settings, clock)
    run_state = _run(settings, choices, connection, spool, clock)
    client = CameraClient(connection, run_state, patient=not choices.one_shot)
    capture = CaptureThread(source, run_state, most_frames=choices.frames)
    _stop_on_signals(client, capture)
    log.info("camera_starts", camera=run_state.camera, server=camera.server, source=source.name, rate=camera.rate)
    started = time.monotonic()
    problem = None
    helpers = [asyncio.create_task(Reporter(run_state, one_shot=choices.one_shot).report())]
    if run_state.replay is not None:
        helpers.append(asyncio.create_task(run_state.replay.tidy()))
    capture.start()
    try:
        await client.stream()
    except (GaveUpError, RefusedError) as error:
        problem = str(error)
    finally:
        for helper in helpers:
            helper.cancel()
        capture.stop()
        run_state.waiting.close()
    await asyncio.to_thread(capture.join, _CAPTURE_END_S)
    if choices.one_shot or capture.error:
        problem = tell_end(run_state, problem or capture.error, seconds=time.monotonic() - started)
    log.info("camera_stopped", **run_state.as_event())
    if spool is not None:
        spool.close()
    return _Ending(problem, capture.is_alive())


def _run(settings: Settings, choices: _Choices, connection: Connection, spool: Spool | None, clock: CameraClock) -> Run:
    camera = settings.camera
    return Run(
        camera=camera.name or "",
        waiting=WaitingFrames(
            asyncio.get_running_loop(), keep_all=choices.keep_all, store=None if spool is None else spool.keep
        ),
        counts=Counts(),
        limits=StreamLimits(
            answer_s=camera.answer_timeout_s,
            give_up_s=choices.give_up_after_s if choices.one_shot else None,
            resends=camera.resend_limit,
        ),
        clean=connection.without_token,
        replay=None if spool is None else Replay(spool, camera.spool_rate),
        clock=clock,
        recorded=choices.keep_all or choices.start is not None,
    )


def _spool(settings: Settings, clock: CameraClock) -> Spool | None:
    """The camera's spool; None, with a warning, when it cannot be had: a camera that can see goes on."""
    camera = settings.camera
    if not camera.spool:
        return None
    limits = SpoolLimits(
        total_bytes=camera.spool_bytes, free_bytes=camera.spool_free_bytes, age_s=3600 * camera.spool_age_h
    )
    try:
        spool = Spool(folder_of(_spools_folder(settings), camera.name or ""), limits, clock=clock)
    except SpoolError as error:
        log.warning(
            "no_spool", reason=str(error), advice="set ATTENDANCE_CAMERA_SPOOL_DIRECTORY; until then outages are lost"
        )
        return None
    log.info("spool_opened", **spool.as_event())
    return spool


def _spools_folder(settings: Settings) -> Path:
    # systemd's StateDirectory= (several are separated by colons): all that a unit with DynamicUser= may write to.
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    default = Path(state) if state else settings.data.directory
    return settings.camera.spool_directory or default / "camera-spool"


def _stop_on_signals(client: CameraClient, capture: CaptureThread) -> None:
    """End cleanly on the first SIGTERM or SIGINT, and at once on the second."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def stop(number: int) -> None:
        log.info("stop_asked", signal=signal.Signals(number).name)
        capture.stop()
        client.stop()
        for each in signals:
            if sys.platform == "win32":
                signal.signal(each, signal.SIG_DFL)
            else:
                loop.remove_signal_handler(each)

    for each in signals:
        if sys.platform == "win32":
            signal.signal(each, lambda number, _: loop.call_soon_threadsafe(stop, number))
        else:
            loop.add_signal_handler(each, stop, each)


def _end(ending: _Ending) -> None:
    """Leave the program with the right status."""
    if ending.problem is not None:
        click.echo(f"Error: {ending.problem}", err=True)
    status = 0 if ending.problem is None else 1
    if ending.capture_hangs:
        # Python would wait for ever, or crash, when a thread that OpenCV holds comes back to an ended interpreter.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
