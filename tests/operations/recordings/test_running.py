"""Recordings come into the register: once, whatever happens on the way, and what cannot is named."""

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from attendance.database.models import ApiToken, Attendance, AuditEntry, Origin
from operations.cli.main import attendance
from operations.recordings.authority import RecorderError
from operations.recordings.journal import JournalError, alone
from recognition_service.outbox.store import Outbox, OutboxError
from tests.operations.recordings.commands import (
    begin_command,
    end_command,
    expected_register,
    run_command,
    without_ids,
)
from tests.operations.recordings.lectures import NINE, Scene, Term, damage, twelve, write_clip
from tests.operations.runners.ray_nodes import of_session
from tests.recognition_service.engines import DIE, RAISE, SLEEP

ROOT = Path(__file__).parents[3]
RED_AND_GREEN = [Scene(6, "red"), Scene(6, "green")]

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]


def why(lectures: Term) -> dict[str, str]:
    """For each file left out by a run, why."""
    return {Path(one.path).name: one.why for one in lectures.run().left}


def test_a_recording_comes_into_the_register_once(lectures: Term) -> None:
    session = lectures.session("Hall", NINE)
    clip = lectures.clip("Hall", NINE, [*RED_AND_GREEN, Scene(3, "violet")])
    report = lectures.run()
    assert (report.videos, report.sittings, report.left) == (1, 1, [])
    assert lectures.seen() == {(session, "red"), (session, "green")}
    with lectures.sessions() as db:
        rows = db.scalars(sa.select(Attendance).where(Attendance.first_seen.is_not(None))).all()
        assert {row.origin for row in rows} == {Origin.RECORDING}
        for row in rows:
            assert row.first_seen is not None
            assert row.last_seen is not None
            assert NINE <= row.first_seen <= row.last_seen < NINE + timedelta(seconds=15)
    before = lectures.register()
    assert len(before) > 2
    renamed = clip.rename(clip.with_name(f"Hall_{NINE:%Y-%m-%dT%H-%M-%SZ}.take2.mp4"))
    report = lectures.run()
    assert (report.videos, report.known, report.pictures) == (0, 1, 0)
    report = lectures.run(again=True)
    assert (report.sittings, report.pictures) == (1, 30)
    assert lectures.register() == before
    assert renamed.exists()


@pytest.mark.exhaustive
def test_clips_of_no_session_of_two_over_midnight_and_early(lectures: Term) -> None:
    midnight = datetime(2025, 3, 3, 23, 59, 54, tzinfo=NINE.tzinfo)
    first, second = lectures.session("Hall", NINE, 0.1), lectures.session("Hall", NINE + timedelta(seconds=6))
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    night = lectures.session("Attic", midnight, 2)
    lectures.clip("Attic", midnight, RED_AND_GREEN)
    of_the_room = midnight - timedelta(hours=1)  # 23:59:54 in Warsaw, in winter
    evening = lectures.session("Loft", of_the_room, 2)
    lectures.clip("Loft", of_the_room, RED_AND_GREEN, uneven=True)
    early = lectures.session("Cellar", NINE + timedelta(minutes=1), early_minutes=1)
    lectures.clip("Cellar", NINE - timedelta(seconds=6), RED_AND_GREEN)
    lectures.clip("Cellar", NINE + timedelta(hours=5), RED_AND_GREEN)
    left = why(lectures)
    assert len(left) == 1
    assert "no class session counts in Cellar" in left["Cellar_2025-03-03T14-00-00Z.mp4"]
    assert lectures.seen() == {
        *((session, student) for session in (night, evening) for student in ("red", "green")),
        *((first, "red"), (second, "green"), (early, "green")),
    }


@pytest.mark.exhaustive
def test_what_cannot_be_read_is_named_and_the_rest_is_done(lectures: Term) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    for minutes in (10, 20, 30, 40):
        lectures.session("Hall", NINE + timedelta(minutes=minutes))
    times = [NINE + timedelta(minutes=minutes) for minutes in (10, 20, 30, 40)]
    damaged = lectures.clip("Hall", times[0], [Scene(30, "red")], ".mkv")
    damage(damaged, 0.5, 0.7)
    deadly = lectures.clip("Hall", times[1], [Scene(5, "red", DIE)])
    cursed = lectures.clip("Hall", times[2], [Scene(5, "red", RAISE)])
    growing = lectures.clip("Hall", times[3], RED_AND_GREEN)
    os.utime(growing)
    (lectures.folder / "notes.mp4").write_bytes(b"no video")
    (lectures.folder / "Hall_2025-03-03T09-00-00Z.mp4.part").write_bytes(b"not looked at")
    left = why(lectures)
    assert left.keys() == {damaged.name, deadly.name, cursed.name, growing.name, "notes.mp4"}
    assert "damaged: pictures are missing from" in left[damaged.name]
    assert "pictures of the rest were looked at and count" in left[damaged.name]
    assert "begun 4 times" in left[deadly.name]
    assert "cursed" in left[cursed.name]
    assert "may still be growing" in left[growing.name]
    assert "not of the pattern" in left["notes.mp4"]
    assert (session, "green") in lectures.seen()
    again = why(lectures)
    assert "damaged" in again[damaged.name]


@pytest.mark.exhaustive
def test_a_recording_longer_than_memory_would_hold_is_followed_in_order(lectures: Term) -> None:
    """Forty stretches, two processes: those who looked wait for the follower."""
    session = lectures.session("Hall", NINE, 5)
    lectures.clip("Hall", NINE, [Scene(2, None if turn % 3 else "red") for turn in range(40)], gop=10)
    lectures.settings = lectures.settings.model_copy(
        update={"recordings": lectures.settings.recordings.model_copy(update={"stretch_s": 2.0})}
    )
    report = lectures.run()
    assert (report.sittings, report.pictures) == (1, 160)
    assert lectures.seen() == {(session, "red")}


def test_nobody_answers_for_it(lectures: Term) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    with lectures.sessions.begin() as db:
        db.execute(sa.delete(ApiToken))
    with pytest.raises(RecorderError, match="unknown, revoked or of another role"):
        lectures.run()
    assert lectures.seen() == set()


@pytest.mark.exhaustive
def test_a_token_revoked_meanwhile_ends_the_run_before_anything_is_put(
    lectures: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    planned = "operations.recordings.assembling.sittings_of"
    from operations.recordings.sittings import sittings_of  # noqa: PLC0415 - what is replaced

    def revoke_and_plan(*arguments: object) -> object:
        with lectures.sessions.begin() as db:
            db.execute(sa.delete(ApiToken))
        return sittings_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(planned, revoke_and_plan)
    with pytest.raises(RecorderError):
        lectures.run()
    assert lectures.seen() == set()


@pytest.mark.exhaustive
def test_a_full_disk_ends_the_run_and_the_next_goes_on(lectures: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)

    def full(*_: object) -> None:
        raise OutboxError("outbox: cannot store sightings: database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "put", full)
        with pytest.raises(OutboxError, match="disk is full"):
            lectures.run()
    assert lectures.seen() == set()
    lectures.run()
    assert lectures.seen() == {(session, "red"), (session, "green")}


def test_two_runs_at_once_are_one_too_many(lectures: Term) -> None:
    folder = lectures.settings.recordings_path
    refused = pytest.raises(JournalError, match=rf"process {os.getpid()} .* over {lectures.folder}")
    with alone(folder, lectures.folder), refused, alone(folder, lectures.folder):
        raise AssertionError("it was let in")
    with alone(folder, lectures.folder):
        pass


def test_a_dry_run_says_which_sessions_and_changes_nothing(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    lectures.clip("Hall", NINE + timedelta(hours=3), RED_AND_GREEN)
    done = CliRunner().invoke(attendance, [*command, "--dry-run"])
    assert done.exit_code == 1
    assert f"session {session}, 2025-03-03 10:00 to 10:01, 3 students" in done.output
    assert "(by its name)" in done.output
    assert "left out" in done.output
    assert lectures.register() == []
    assert not lectures.settings.recordings_path.exists()


def test_a_list_says_room_camera_and_start(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    write_clip(lectures.folder / "a.mp4", RED_AND_GREEN)
    write_clip(lectures.folder / "b.mp4", RED_AND_GREEN)
    table = lectures.folder / "list.csv"
    table.write_text(
        "file,room,start\n"
        "a.mp4,Hall,2025-03-03T10:00\n"
        "b.mp4,Attic,2025-03-03T10:00\n"
        "c.mp4,Hall,2025-03-03T10:00\n"
        "a.mp4,Hall,2025-03-03T10:00\n"
        "b.mp4,Hall,2025-03-30T02:30\n"
    )
    done = CliRunner().invoke(attendance, ["recordings", "run", str(table), "--dry-run"])
    assert f"session {session}, 2025-03-03 10:00" in done.output
    for problem in ("no room 'Attic'", "no such file", "listed twice"):
        assert problem in done.output


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_and_given_again_the_register_is_the_same(
    lectures: Term, command: list[str], how: signal.Signals, tmp_path: Path
) -> None:
    twelve(lectures)
    expected = expected_register(tmp_path)
    kills, sessions = 0, []
    for pause_s in (0.0, 0.5, 1.0):
        known = len(lectures.seen())
        process = begin_command([*command, "--on", "local:2"])
        sessions.append(process.pid)
        until = time.monotonic() + 200
        while len(lectures.seen()) == known and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause_s)
        kills += process.poll() is None
        end_command(process, how=how)
    run_command([*command, "--on", "local:2"])
    assert kills
    assert without_ids(lectures.register()) == expected
    until = time.monotonic() + 20
    while any(of_session(session) for session in sessions) and time.monotonic() < until:
        time.sleep(0.2)
    assert not any(of_session(session) for session in sessions)


@pytest.mark.exhaustive
def test_the_command_runs_and_notes_it_in_the_audit_log(lectures: Term, command: list[str]) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    output = run_command([*command, "--on", "local:1"])
    for words in ("1 of 1 recordings: its name says", "night run answers for it", "1 recordings looked at", "hours of"):
        assert words in output
    assert lectures.seen() == {(session, "red"), (session, "green")}
    with lectures.sessions() as db:
        details = [entry.details for entry in db.scalars(sa.select(AuditEntry)) if entry.subject]
    assert any("night run" in json.dumps(one) for one in details)
    for again, words in (([], "3 students; done before"), (["--again"], "3 students\n")):
        done = CliRunner().invoke(attendance, [*command, "--dry-run", *again])
        assert done.exit_code == 0, done.output
        assert words in done.output


@pytest.mark.exhaustive
def test_frames_that_take_long_are_waited_for(lectures: Term) -> None:
    session = lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, [Scene(8, "red", SLEEP)])
    assert lectures.run().left == []
    assert lectures.seen() == {(session, "red")}
