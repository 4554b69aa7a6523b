"""What the flow puts into the outbox beside sightings, and what it spares somebody who is confirmed."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from attendance.database.evidence import Evidence
from attendance.database.models import Student
from recognition_service.evidence.seen import MatchKind
from recognition_service.outbox.store import OutboxError, erase_from_outbox
from tests.factories import NINE
from tests.recognition_service.scenes import Scene, face


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def evidence(scene: Scene) -> list[Evidence]:
    return [found for _, found in scene.outbox.evidence_of([seen for _, seen in scene.outbox.pending(100)])]


def test_a_confirmation_keeps_its_evidence(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0)
    [kept] = evidence(scene)
    assert (kept.session_id, kept.index_number, kept.camera_id, kept.frames) == (session, "anna", 7, 3)
    assert kept.threshold == 0.55
    assert kept.distance == pytest.approx(0.3, abs=1e-4)
    assert kept.margin > 0.2
    assert (kept.first_frame_at, kept.last_frame_at) == (NINE, NINE + timedelta(seconds=1))
    assert [(frame.width, frame.sharpness, frame.weight) for frame in kept.details] == [(80.0, 100.0, 1.0)] * 3


def test_seeing_a_student_longer_adds_no_evidence(scene: Scene) -> None:
    scene.add()
    scene.confirm(0)
    for minute in range(1, 40):
        scene.see(NINE + timedelta(minutes=minute), face(0))
    scene.flow.finish()
    assert len(evidence(scene)) == 1


def test_every_stream_adds_its_own(scene: Scene) -> None:
    scene.add()
    for _ in range(3):
        scene.confirm(0)
        scene.flow = scene.new_flow()
    assert len({found.uid for found in evidence(scene)}) == 3


def test_evidence_that_could_not_be_stored_is_stored_with_the_next_frame(scene: Scene) -> None:
    scene.add()
    path = scene.outbox.path
    aside = path.with_name("aside.db")
    for frame in range(2):
        scene.see(NINE + timedelta(seconds=frame), face(0))
    path.rename(aside)
    with pytest.raises(OutboxError):
        scene.see(NINE + timedelta(seconds=2), face(0))
    aside.rename(path)
    scene.see(NINE + timedelta(seconds=3), face(0))
    [kept] = evidence(scene)
    assert kept.frames == 3


def test_a_confirmed_student_is_seldom_searched_for_and_seen_all_the_same(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0, 1)
    before = scene.flow.searched
    for second in range(2, 302):
        seen = scene.see(NINE + timedelta(seconds=second), face(0), face(1, left=200.0))
        assert [(one.match.student, one.confirmed) for one in seen] == [("anna", True), ("ben", True)]
    assert scene.flow.searched - before < 10
    scene.flow.finish()
    assert scene.stored()[session, "anna"].last_seen == NINE + timedelta(seconds=301)


@pytest.mark.parametrize("newcomer", [1, 3, 5], ids=["student", "of another course", "stranger"])
def test_whoever_sits_down_in_a_confirmed_students_place_inherits_nothing(scene: Scene, newcomer: int) -> None:
    session = scene.add()
    scene.confirm(0)
    for second in range(2, 60):
        [seen] = scene.see(NINE + timedelta(seconds=second), face(newcomer))
        assert seen.match.student != "anna"
    scene.flow.finish()
    assert scene.stored()[session, "anna"].last_seen == NINE + timedelta(seconds=1)
    assert {student for _, student in scene.stored()} == ({"anna", "ben"} if newcomer == 1 else {"anna"})


def test_who_was_erased_is_forgotten_and_not_put_again(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0, 1)
    scene.see(NINE + timedelta(seconds=9), face(0), face(1, left=200.0))
    assert erase_from_outbox(scene.outbox.path, "anna") == 2
    scene.see(NINE + timedelta(seconds=40), face(0), face(1, left=200.0))
    scene.flow.finish()
    assert set(scene.stored()) == {(session, "ben")}
    scene.flow.finish()
    assert b"anna" not in b"".join(file.read_bytes() for file in scene.outbox.path.parent.glob("outbox.db*"))


def test_who_withdrew_consent_is_not_recorded_any_more(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0, 1)
    with scene.sessions.begin() as db:
        db.execute(sa.update(Student).where(Student.index_number == "anna").values(consent_withdrawn_at=NINE))
    time.sleep(0.01)  # longer than the timetable is kept
    for second in range(20, 60, 5):
        anna, _ = scene.see(NINE + timedelta(seconds=second), face(0), face(1, left=200.0))
        assert anna.match.kind is MatchKind.NOT_ON_ROSTER
    scene.flow.finish()
    assert scene.stored()[session, "anna"].last_seen == NINE + timedelta(seconds=1)
    assert scene.stored()[session, "ben"].last_seen > NINE + timedelta(seconds=20)


def test_one_lucky_frame_confirms_nobody(scene: Scene) -> None:
    scene.add()
    scene.see(NINE, face(0, 0.1))
    for second in range(1, 200):
        [seen] = scene.see(NINE + timedelta(seconds=second), face(5))
        assert seen.match.kind is MatchKind.UNKNOWN
    assert scene.present() == set()


def test_a_face_that_is_only_ever_blurred_takes_longer(scene: Scene) -> None:
    scene.add()
    soft = replace(face(0), sharpness=2.0)
    confirmed = [scene.see(NINE + timedelta(seconds=second), soft)[0].confirmed for second in range(15)]
    assert confirmed.index(True) == 11
    assert evidence(scene)[0].frames == 12
