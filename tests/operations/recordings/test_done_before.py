"""What a later run passes over, and what it looks at again: what was not read, through no fault of the file."""

import signal
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.models import AuditEntry
from camera_client.decoding import pyav
from camera_client.decoding.reader import InterlacedError
from camera_client.frames import SourceError
from operations.cli.bulk.long_runs import LogOfPace
from operations.recordings import running
from operations.recordings.looking import Lens, LookJob, fingerprint, look_at
from operations.recordings.stretches import plan_video
from tests.camera_client.decoding.videos import encode
from tests.operations.recordings.commands import Listener, begin_command, end_command, run_command
from tests.operations.recordings.lectures import NINE, Scene, Term, age, damage, write_clip
from tests.recognition_service.engines import build

RED_AND_GREEN = [Scene(6, "red"), Scene(6, "green")]

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]


def why(lectures: Term) -> dict[str, str]:
    """For each file left out by a run, why."""
    return {Path(one.path).name: one.why for one in lectures.run().left}


def first_stretch(clip: Path) -> LookJob:
    stretch = plan_video(clip, 10.0).stretches[0]
    return LookJob(clip, stretch, NINE, 0.0, 60.0, Lens(build, 2.0), fingerprint(clip))


def test_what_this_machine_cannot_read_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = encode(tmp_path / "interlaced.mp4", "libx264", 50, interlaced=True)
    job = first_stretch(clip)
    assert look_at(job)[0].pictures > 0
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    with pytest.raises(InterlacedError, match="av"):
        look_at(job)
    changed = tmp_path / "other.mp4"
    changed.write_bytes(b"not readable where this is looked at")
    with pytest.raises(SourceError, match="not a video"):
        look_at(LookJob(changed, job.stretch, NINE, 0.0, 60.0, job.lens, fingerprint(changed)))


def test_damage_is_told_with_the_rest_that_was_read(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", [Scene(40, "red")], gop=20)
    plan = plan_video(clip, 2.0)
    damage(clip, 0.3, 0.8)
    jobs = [LookJob(clip, one, NINE, 0.0, 60.0, Lens(build, 2.0), fingerprint(clip)) for one in plan.stretches]
    told = [look_at(job)[0] for job in jobs]
    assert any(one.missing == ((part.begins_s, part.ends_s),) for one, part in zip(told, plan.stretches, strict=True))
    assert sum(one.pictures for one in told) > 10


def test_pictures_that_were_too_large_are_looked_at_once_they_are_not(lectures: Term) -> None:
    session = lectures.session("Hall", NINE)
    clip = lectures.clip("Hall", NINE, RED_AND_GREEN)
    usual = lectures.settings
    lectures.settings = usual.model_copy(update={"engine": usual.engine.model_copy(update={"max_pixels": 1000})})
    for _ in range(2):
        assert "pixels; at most 1,000" in why(lectures)[clip.name]
    assert lectures.seen() == set()
    lectures.settings = usual
    assert why(lectures) == {}
    assert lectures.seen() == {(session, "red"), (session, "green")}


def test_what_is_done_is_not_read_again(lectures: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    lectures.run()
    with monkeypatch.context() as patched:
        patched.setattr(running, "plan", None)  # whoever has it read now fails
        report = lectures.run()
    assert (report.known, report.videos, report.left) == (1, 0, [])
    assert (report.done, report.passed_over) == (1.0, 1.0)
    later = lectures.session("Hall", NINE + timedelta(seconds=8), minutes=1)
    report = lectures.run()  # a session that was entered since
    assert (report.known, report.videos) == (0, 1)
    assert (later, "green") in lectures.seen()


def test_a_damaged_file_that_was_copied_anew_is_looked_at_again(
    lectures: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digest is of parts of a file; what is mended between them leaves it as it was."""
    monkeypatch.setattr(running, "digest_of", lambda path: path.name)
    session = lectures.session("Hall", NINE)
    clip = lectures.clip("Hall", NINE, [Scene(30, None), Scene(6, "red"), Scene(6, "green")], ".mkv")
    whole = clip.read_bytes()
    damage(clip, 0.6, 0.95)
    assert "damaged" in why(lectures)[clip.name]
    assert "--again looks at it once more" in why(lectures)[clip.name]
    clip.write_bytes(whole)
    age(clip)
    assert why(lectures) == {}
    assert lectures.seen() == {(session, "red"), (session, "green")}


def test_a_video_without_pictures_is_named(lectures: Term) -> None:
    import av  # noqa: PLC0415 - an extra

    lectures.session("Hall", NINE)
    clip = lectures.folder / f"Hall_{NINE:%Y-%m-%dT%H-%M-%SZ}.mp4"
    with av.open(str(clip), "w", options={"movflags": "frag_keyframe+empty_moov"}) as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(40):
            file.mux(stream.encode(av.VideoFrame(128, 96, "yuv420p")))
        file.mux(stream.encode())
    content = clip.read_bytes()
    clip.write_bytes(content[: content.index(b"moof") - 4])
    age(clip)
    assert why(lectures) == {clip.name: f"{clip}: there is no picture in it"}


def test_who_answers_is_in_the_audit_log_however_the_run_ends(lectures: Term, command: list[str]) -> None:
    lectures.session("Hall", NINE)
    lectures.clip("Hall", NINE, RED_AND_GREEN)
    process = begin_command([*command, "--on", "local:1"])
    said = Listener(process)
    said.until(lambda: "answers for it" in said.text)
    end_command(process, how=signal.SIGKILL)
    run_command([*command, "--on", "local:1"])
    with lectures.sessions() as db:
        entries = [entry.details for entry in db.scalars(sa.select(AuditEntry).order_by(AuditEntry.id))]
    told = [one for one in entries if one and one.get("answers") == "night run"]
    assert [sorted(one.keys() & {"recordings_given", "left_out"}) for one in told] == [
        ["recordings_given"],  # killed
        ["recordings_given"],
        ["left_out"],
    ]


def test_what_took_no_time_says_nothing_of_the_pace() -> None:
    from rich.console import Console  # noqa: PLC0415

    log = LogOfPace(Console())
    log._began -= 60.0
    assert log.left(0.9, 0.9) == "too early to say how long it takes"
    assert log.left(0.95, 0.9) == "about 0:01:00 left"
    assert log.left(0.5) == "about 0:01:00 left"
