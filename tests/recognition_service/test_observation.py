"""What is watched, from the frame to the database, through the running service; hours are a few seconds here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from attendance.database.models import (
    Attendance,
    AttendanceEvidence,
    Camera,
    ClassSession,
    Observation,
    Origin,
    Student,
)
from attendance.database.watching.observation import MinuteCounts, SessionMinute, minute_of, observed_minutes
from attendance.database.watching.rooms import room_watch
from attendance.face_engine.interface import Image
from attendance.settings.camera import RECORDING_METADATA
from protos.attendance.v1 import attendance_pb2 as pb
from tests.recognition_service.campus import COLOURS, STRANGER, CameraCall, Campus, add_session, until
from tests.recognition_service.engines import encoded, picture

MINUTE = timedelta(minutes=1)
BLACK = np.zeros((96, 128, 3), np.uint8)


@dataclass
class Lesson:
    """A lesson of ninety minutes in the Attic, which ends soon; its camera is "empty"."""

    campus: Campus
    session_id: int
    starts_at: datetime
    pictures: int = 0

    def minutes(self) -> list[SessionMinute]:
        """From its start on."""
        with self.campus.sessions() as db:
            session = db.get_one(ClassSession, self.session_id)
            return observed_minutes(db, session, since=session.starts_at)

    def which(self, attribute: str) -> set[int]:
        """The numbers of the minutes of a kind: "watched", "watched_live", "blind" or "away"."""
        return {number for number, minute in enumerate(self.minutes()) if getattr(minute, attribute)}

    def a_picture(self, student: str | None = None) -> Image:
        """Of a student, a stranger or nobody; no two are the same."""
        self.pictures += 1
        return picture(COLOURS.get(student, STRANGER) if student else None, seed=self.pictures)

    async def film(
        self,
        call: CameraCall,
        minutes: range,
        *,
        frames: int = 3,
        show: Callable[[], Image | bytes] | None = None,
        origin: Origin = Origin.LIVE,
    ) -> list[pb.FrameResult]:
        """Have so many frames of each minute seen."""
        return [
            await call.ask(
                show() if show else self.a_picture(),
                at=self.starts_at + minute * MINUTE + timedelta(seconds=60 / frames * frame),
                origin=origin,
            )
            for minute in minutes
            for frame in range(frames)
        ]


@pytest.fixture
def lesson(campus: Campus) -> Lesson:
    starts_at = minute_of(campus.now) - timedelta(minutes=80)
    session_id = add_session(campus, "empty", starts_at)
    with campus.sessions.begin() as db:
        db.get_one(ClassSession, session_id).ends_at = starts_at + timedelta(minutes=90)
    return Lesson(campus, session_id, starts_at)


async def test_a_camera_watches_dies_and_comes_back_with_what_it_kept(
    start: Any, open_stream: Any, lesson: Lesson
) -> None:
    stub = await start()
    call = await open_stream(stub, "empty")
    await lesson.film(call, range(50), show=lambda: lesson.a_picture("red"))
    call.call.cancel()
    await until(lambda: lesson.which("watched") == set(range(50)))
    assert lesson.which("away") == set(range(50, 90))

    again = await open_stream(stub, "empty")
    await lesson.film(again, range(70, 80))
    await lesson.film(again, range(50, 65), origin=Origin.KEPT, show=lambda: lesson.a_picture("green"))
    await until(lambda: lesson.which("watched") == {*range(65), *range(70, 80)})
    assert lesson.which("watched_live") == {*range(50), *range(70, 80)}
    assert lesson.which("away") == {*range(65, 70), *range(80, 90)}
    assert not lesson.which("blind")
    with lesson.campus.sessions() as db:
        rows = db.execute(
            sa.select(Student.index_number, Attendance.origin, AttendanceEvidence.origin)
            .join(Attendance, Attendance.student_id == Student.id)
            .join(AttendanceEvidence, AttendanceEvidence.student_id == Student.id)
        ).all()
    assert {tuple(row) for row in rows} == {
        ("red", Origin.LIVE, Origin.LIVE),
        ("green", Origin.KEPT, Origin.KEPT),
    }


@pytest.mark.parametrize("operator", [True, False])
async def test_a_recording_is_one_where_an_operator_plays_it(start: Any, lesson: Lesson, *, operator: bool) -> None:
    campus = lesson.campus
    token = [(RECORDING_METADATA, campus.recording)] if operator else []
    call = CameraCall(await start(), campus.empty, "empty", campus.now, *token)
    await call.opened()
    await lesson.film(call, range(2), origin=Origin.RECORDING, show=lambda: lesson.a_picture("red"))
    await until(lambda: lesson.which("watched") == {0, 1})
    assert not lesson.which("watched_live")
    taken_for = Origin.RECORDING if operator else Origin.KEPT
    with lesson.campus.sessions() as db:
        assert db.scalars(sa.select(Attendance.origin)).one() is taken_for
        assert set(db.scalars(sa.select(AttendanceEvidence.origin))) == {taken_for}
    call.call.cancel()


async def test_a_covered_lens(start: Any, open_stream: Any, lesson: Lesson) -> None:
    call = await open_stream(await start(), "empty")
    await lesson.film(call, range(2))
    await lesson.film(call, range(2, 5), show=lambda: BLACK)
    since = lesson.starts_at + 2 * MINUTE

    def blind_since() -> datetime | None:
        return lesson.campus.camera("empty").blind_since

    await until(lambda: blind_since() == since and len(lesson.which("blind")) == 3)
    assert lesson.which("watched") == {0, 1}
    assert lesson.which("blind") == {2, 3, 4}
    with lesson.campus.sessions() as db:
        room_id = db.get_one(ClassSession, lesson.session_id).room_id
        room = room_watch(db, [room_id], lesson.campus.now)[room_id]
    assert (room.watched, len(room.dead), room.blind_since) == (False, 0, since)
    await lesson.film(call, range(5, 6))
    await until(lambda: blind_since() is None)
    await until(lambda: lesson.which("watched") == {0, 1, 5})


@pytest.mark.parametrize("skip_unchanged_s", [0, 10])
async def test_a_frozen_picture(start: Any, open_stream: Any, lesson: Lesson, skip_unchanged_s: float) -> None:
    call = await open_stream(await start(skip_unchanged_s=skip_unchanged_s), "empty")
    still = encoded(lesson.a_picture("red"))
    results = await lesson.film(call, range(5), frames=20, show=lambda: still)
    assert any(result.outcome == pb.FRAME_OUTCOME_UNCHANGED for result in results) == bool(skip_unchanged_s)
    await until(lambda: lesson.which("blind") == {1, 2, 3, 4})  # for a minute nobody can tell
    assert lesson.which("watched") == {0}
    await lesson.film(call, range(5, 6))
    await until(lambda: lesson.which("watched") == {0, 5})


async def test_unchanged_frames_watch_and_count_whom_they_show(start: Any, open_stream: Any, lesson: Lesson) -> None:
    call = await open_stream(await start(skip_unchanged_s=60), "empty")
    show = lesson.a_picture("red")

    def nearly_the_same() -> bytes:
        other = show.copy()
        other[90, 60 + lesson.pictures % 50] += 20  # one pixel: no thumbnail shows it
        lesson.pictures += 1
        return encoded(other)

    results = await lesson.film(call, range(2), frames=6, show=nearly_the_same)
    assert [result.outcome for result in results].count(pb.FRAME_OUTCOME_UNCHANGED) >= 10
    await until(lambda: lesson.which("watched") == {0, 1})
    call.call.cancel()
    await until(lambda: lesson.minutes()[1].counts == MinuteCounts(1, 1, 0, 0, 0))


async def test_what_was_not_examined_watches_nothing(start: Any, open_stream: Any, lesson: Lesson) -> None:
    call = await open_stream(await start(), "empty")
    for second in range(6):
        bad = await call.ask(b"no picture", at=lesson.starts_at + timedelta(seconds=second))
        assert bad.outcome == pb.FRAME_OUTCOME_INVALID_IMAGE
    before = await call.ask(lesson.a_picture(), at=lesson.starts_at - timedelta(hours=1))
    assert before.outcome == pb.FRAME_OUTCOME_NO_SESSION
    for _ in range(5):  # the same moment
        await call.ask(lesson.a_picture(), at=lesson.starts_at)
    await lesson.film(call, range(9, 10))
    await until(lambda: lesson.which("watched") == {9})
    with lesson.campus.sessions() as db:
        assert db.scalar(sa.select(sa.func.count()).select_from(Observation)) in {1, 2}


async def test_a_camera_that_connects_again_and_again(start: Any, open_stream: Any, lesson: Lesson) -> None:
    stub = await start()
    for second in range(3):
        call = await open_stream(stub, "empty")
        await call.ask(lesson.a_picture(), at=lesson.starts_at + timedelta(seconds=second))
        call.call.cancel()
    await until(lambda: lesson.which("watched") == {0})


async def test_one_of_two_cameras_is_dead(start: Any, open_stream: Any, campus: Campus) -> None:
    stub = await start()
    lesson = Lesson(campus, campus.session_id, minute_of(campus.now) - timedelta(minutes=4))
    call = await open_stream(stub, "front")
    await lesson.film(call, range(3), show=lambda: lesson.a_picture("stranger"))

    def reported() -> bool:
        with campus.sessions() as db:
            return bool(db.scalar(sa.select(sa.func.sum(Observation.watched))))

    await until(reported)
    call.call.cancel()
    await until(lambda: sum(minute.counts is not None for minute in lesson.minutes()) == 3)
    assert not lesson.which("watched")
    seen = [minute.counts for minute in lesson.minutes() if minute.counts is not None]
    assert seen[-1] == MinuteCounts(1, 0, 0, 1, 1)
    with campus.sessions.begin() as db:
        db.execute(sa.update(Camera).where(Camera.name == "back").values(extra=True))
    assert len(lesson.which("watched")) == 3


async def test_the_early_minutes_are_watched_too(start: Any, open_stream: Any, lesson: Lesson) -> None:
    call = await open_stream(await start(), "empty")
    await lesson.film(call, range(-10, -8))

    def first_three() -> list[bool]:
        with lesson.campus.sessions() as db:
            session = db.get_one(ClassSession, lesson.session_id)
            return [minute.watched for minute in observed_minutes(db, session)][:3]

    await until(lambda: first_three() == [True, True, False])


async def test_students_of_the_index_are_noted_as_recognisable(start: Any, campus: Campus) -> None:
    await start()

    def since() -> list[datetime | None]:
        with campus.sessions() as db:
            return list(db.scalars(sa.select(Student.recognisable_since)))

    await until(lambda: all(since()))
