from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.evidence.tracking import TrackedFace, Tracker

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
_random = np.random.default_rng(5)
PEOPLE = [0.57 * vector / np.linalg.norm(vector) for vector in _random.normal(size=(20, 128))]
"""Encodings of people, about 0.8 apart from each other as strangers' are."""


def look(person: int, change: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    """An encoding of a person at a distance from the one they are known by."""
    direction = np.random.default_rng(seed).normal(size=128)
    return (PEOPLE[person] + change * direction / np.linalg.norm(direction)).astype(np.float32)


def box(left: float, top: float = 100, side: float = 80) -> list[float]:
    return [left, top, left + side, top + side]


class Stream:
    """A tracker fed with (place, encoding) pairs."""

    def __init__(self, **values: float) -> None:
        self.clock = 0.0
        self.tracker = Tracker(MatchingSettings.model_validate(values).rules(Family.DLIB), lambda: self.clock)

    def at(self, seconds: float, *faces: tuple[list[float], NDArray[np.float32]]) -> list[TrackedFace]:
        boxes = np.array([place for place, _ in faces], np.float32).reshape(-1, 4)
        encodings = np.array([encoding for _, encoding in faces], np.float32).reshape(-1, 128)
        return self.tracker.update(NINE + timedelta(seconds=seconds), boxes, encodings)


def test_a_moving_face_is_one_track() -> None:
    stream = Stream()
    seen = [stream.at(0.5 * frame, (box(60 * frame), look(0, 0.3, frame))) for frame in range(10)]
    assert {faces[0] for faces in seen} == {TrackedFace(1, 1)}


def test_a_frame_without_faces_has_no_tracks() -> None:
    stream = Stream()
    assert stream.at(0) == []
    assert stream.at(1, (box(0), look(0))) == [TrackedFace(1, 1)]


def test_people_side_by_side_keep_their_tracks_when_they_cross() -> None:
    stream = Stream()
    for frame in range(11):
        left, right = 40.0 * frame, 400.0 - 40.0 * frame
        anna, ben = stream.at(0.25 * frame, (box(left), look(0, 0.2, frame)), (box(right), look(1, 0.2, frame)))
        assert (anna, ben) == (TrackedFace(1, 1), TrackedFace(2, 2))


def test_another_face_at_the_same_place_is_another_track() -> None:
    stream = Stream()
    assert stream.at(0, (box(0), look(0))) == [TrackedFace(1, 1)]
    assert stream.at(0.5, (box(0), look(1))) == [TrackedFace(2, 2)]


def test_a_face_lost_for_a_short_while_goes_on_by_its_looks() -> None:
    stream = Stream()
    stream.at(0, (box(0), look(0)))
    stream.at(0.5)
    assert stream.at(2.9, (box(900, 500), look(0, 0.3))) == [TrackedFace(1, 1)]


def test_a_face_lost_for_longer_is_another_track_of_the_same_person() -> None:
    stream = Stream()
    stream.at(0, (box(0), look(0)))
    stream.at(0.5)
    assert stream.at(20, (box(0), look(0, 0.3))) == [TrackedFace(2, 1)]
    assert stream.at(40, (box(0), look(0, 0.5, 1))) == [TrackedFace(3, 2)]  # not like enough to be sure


def test_one_person_is_not_in_two_places() -> None:
    stream = Stream()
    stream.at(0, (box(0), look(0)))
    twin, twin_again = stream.at(60, (box(0), look(0, 0.1, 1)), (box(500), look(0, 0.2, 2)))
    assert twin.person == 1
    assert twin_again.person == 2


def test_a_camera_that_samples_every_five_seconds_keeps_tracks() -> None:
    stream = Stream()
    seen = {stream.at(5.0 * frame, (box(0), look(0, 0.3, frame)))[0] for frame in range(8)}
    assert seen == {TrackedFace(1, 1)}


def test_frames_may_come_a_little_late() -> None:
    stream = Stream()
    order = [0.0, 1.0, 0.5, 2.0, 1.5, 1.5]
    assert {stream.at(time, (box(0), look(0, 0.2)))[0] for time in order} == {TrackedFace(1, 1)}


def test_old_frames_between_new_ones_have_tracks_of_their_own() -> None:
    stream = Stream()
    for step in range(6):
        [now] = stream.at(3600 + step, (box(0), look(0, 0.2, step)))
        [then] = stream.at(step, (box(0), look(1, 0.2, step)))
        assert (now, then) == (TrackedFace(1, 1), TrackedFace(2, 2))


def test_forgets_on_demand_but_never_uses_a_number_twice() -> None:
    stream = Stream()
    stream.at(0, (box(0), look(0)))
    stream.tracker.forget()
    assert stream.at(0.5, (box(0), look(0))) == [TrackedFace(2, 2)]


def test_a_crowd_that_changes_all_the_time_takes_bounded_memory() -> None:
    stream, chance = Stream(), np.random.default_rng(3)
    for frame in range(30):
        crowd = 0.57 * (vectors := chance.normal(size=(60, 128))) / np.linalg.norm(vectors, axis=1, keepdims=True)
        stream.at(10.0 * frame, *[(box(100.0 * place), look_) for place, look_ in enumerate(crowd.astype(np.float32))])
    assert len(stream.tracker._tracks) <= 512
    assert len(stream.tracker._persons) <= 512


def test_a_room_where_people_come_and_go_keeps_few_tracks_that_have_ended() -> None:
    stream = Stream()
    for visit in range(600):  # each out of sight for longer than a track may have gaps
        stream.clock = 10.0 * visit
        stream.at(10.0 * visit, (box(0), look(visit % 20, 0.1, visit)))
        stream.at(10.0 * visit + 1)
    assert 0 < len(stream.tracker._tracks) <= 13, "those of two minutes"
    [again] = stream.at(6000, (box(0), look(0)))
    assert again == TrackedFace(601, 1), "persons are remembered for longer"


def test_a_kept_face_goes_on_after_a_pause_of_a_minute_with_any_number_of_frames_of_now() -> None:
    stream = Stream()
    assert stream.at(0, (box(0), look(1))) == [TrackedFace(1, 1)]
    for step in range(600):
        stream.clock += 0.1
        stream.at(3600 + step / 10, (box(0), look(0, 0.2, step)))
    assert stream.at(0.5, (box(0), look(1, 0.5))) == [TrackedFace(1, 1)]


def test_what_is_kept_of_a_face_keeps_no_other_face_of_its_frame() -> None:
    stream = Stream()
    stream.at(0, *[(box(100.0 * place), look(place)) for place in range(20)])
    stream.at(1, *[(box(100.0 * place), look(place, 0.3, place)) for place in range(20)])
    for track in stream.tracker._tracks.values():
        assert track.latest.base is None
        assert track.looks.rows.base is None


@pytest.mark.parametrize("side", [0.0, -5.0])
def test_a_box_without_area_is_no_error(side: float) -> None:
    stream = Stream()
    first, second = stream.at(0, (box(0, side=side), look(0))), stream.at(0.5, (box(0, side=side), look(0)))
    assert first == second


_faces = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0, 0.6), st.floats(0, 1000), st.floats(10, 200), st.integers(0, 9)),
    max_size=5,
)


_ALIKE = (0, 0.0, 0.0, 10.0, 0)


@settings(max_examples=60, deadline=None)
@given(frames=st.lists(st.tuples(st.floats(0, 100), _faces), max_size=12))
@example(frames=[(4.0, [_ALIKE]), (0.0, [_ALIKE] * 5), (1.0, [_ALIKE] * 2)])
def test_no_two_faces_of_a_frame_share_a_track_or_a_person(
    frames: list[tuple[float, list[tuple[int, float, float, float, int]]]],
) -> None:
    stream = Stream()
    for seconds, faces in frames:
        seen = stream.at(
            seconds, *[(box(left, side=side), look(who, change, seed)) for who, change, left, side, seed in faces]
        )
        assert len(seen) == len(faces)
        assert len({face.track for face in seen}) == len({face.person for face in seen}) == len(faces)
