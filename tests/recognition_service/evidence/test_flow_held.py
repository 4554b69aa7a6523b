"""Whom the flow holds: neither confirmed nor forgotten."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from attendance.database.models import HeldReason
from recognition_service.evidence.flow import CameraFlow
from recognition_service.presentation.impossible import Whereabouts
from recognition_service.presentation.judging import PresentationJudge
from tests.factories import NINE
from tests.recognition_service.living import living_view, picture_view
from tests.recognition_service.scenes import RULES, Scene, face, living


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.close()


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def test_a_photo_is_held_with_its_evidence_and_not_entered(scene: Scene) -> None:
    session = scene.add()
    for number in range(10):
        [seen] = scene.see(NINE + at(number / 2), face(0), views=[picture_view(seed=number)])
        assert not seen.confirmed
    assert scene.outbox.pending(9) == []  # it may yet move
    assert scene.held() == {"anna": {HeldReason.NO_VARIANCE}}
    assert scene.stored() == {}
    [(_, sighting)] = scene.outbox.pending(9)
    assert (sighting.session_id, sighting.first_seen, sighting.last_seen) == (session, NINE, NINE + at(4.5))
    [(_, evidence)] = scene.outbox.evidence_of([sighting])
    assert evidence.held
    assert evidence.frames == 3


def test_who_moves_after_all_is_entered_from_the_first_frame_on_and_not_held(scene: Scene) -> None:
    session = scene.add()
    for number in range(10):
        scene.see(NINE + at(number / 2), face(0), views=[picture_view(seed=number)])
    for number in range(10, 14):
        scene.see(NINE + at(number / 2), face(0))
    assert scene.held() == {}
    assert scene.stored()[session, "anna"].first_seen == NINE


def test_a_photo_of_who_is_confirmed_changes_nothing(scene: Scene) -> None:
    session = scene.add()
    scene.confirm(0)
    for number in range(300, 310):
        scene.see(NINE + at(number), face(0), views=[picture_view(seed=number)])
    assert scene.held() == {}
    assert (session, "anna") in scene.stored()


def test_a_frame_sent_six_times_is_held_at_once(scene: Scene) -> None:
    scene.add()
    view = picture_view(noise=0)
    for number in range(6):
        scene.see(NINE + at(number / 2), face(0), views=[view])
    [(_, sighting)] = scene.outbox.pending(9)
    assert sighting.held == (HeldReason.SAME_PICTURE,)
    assert sighting.confidence < 0.995, "it would read as 100 %"


def test_no_distance_reads_as_certain(scene: Scene) -> None:
    scene.add()
    for number in range(6):
        scene.see(NINE + at(number / 2), face(0, 0.0))
    [(_, sighting)] = scene.outbox.pending(9)
    assert sighting.held == (HeldReason.COPY_OF_PHOTO,)
    assert sighting.confidence < 0.995


def test_strangers_are_not_looked_at(scene: Scene) -> None:
    scene.add()
    for number in range(6):
        scene.see(NINE + at(number / 2), face(5), views=[picture_view(seed=number)])
    assert scene.held() == {}


def test_one_student_in_two_rooms_is_held_in_the_second(scene: Scene) -> None:
    session = scene.add()
    whereabouts = Whereabouts()
    flows = [
        CameraFlow(
            camera,
            scene.room.id,
            scene.timetable,
            lambda: scene.matcher,
            scene.outbox,
            RULES,
            judge=PresentationJudge(RULES, room, whereabouts=whereabouts),
        )
        for camera, room in ((7, 1), (8, 2))
    ]
    for number in range(5):
        time = NINE + at(number / 2)
        plan = flows[0].plan(time)
        assert plan is not None
        for flow in flows:
            flow.observe(plan, time, [face(0)], views=living(time, [face(0)]))
    for flow in flows:
        flow.finish()
    found = {(seen.camera_id, seen.held) for _, seen in scene.outbox.pending(9)}
    assert found == {(7, ()), (8, (HeldReason.TWO_ROOMS,))}
    assert (session, "anna") in scene.stored()


def test_faces_out_of_one_pocket_are_held_from_the_third_on(scene: Scene) -> None:
    scene.add(students=range(4))
    for person in range(4):
        for frame in range(4):
            seconds = 8 * person + frame / 2
            scene.see(NINE + at(seconds), face(person, left=100.0), views=[living_view(seconds)])
    assert scene.held() == {"carl": {HeldReason.ONE_SPOT}, "dora": {HeldReason.ONE_SPOT}}
    assert scene.present() == {"anna", "ben"}


def test_who_was_erased_is_not_put_again(scene: Scene) -> None:
    scene.add()
    for number in range(4):
        scene.see(NINE + at(number / 2), face(0), views=[picture_view(seed=number)])
    scene.outbox.erase("anna")
    assert scene.held() == {}
    assert scene.held() == {}
