import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.database.evidence import MOST_FRAMES
from attendance.settings.families import Family
from attendance.settings.model import MatchingRules, MatchingSettings
from recognition_service.evidence.clearness import CLEAR, View
from recognition_service.evidence.confirmation import Confirmation, Confirmer, confidence_of
from recognition_service.evidence.seen import FaceMatch, MatchKind

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
RULES = MatchingSettings().rules(Family.DLIB)


def match(distance: float, runner_up: float = 0.8, student: str = "anna", rival: str = "ben") -> FaceMatch:
    """What the matcher says of a face at these distances from two students."""
    if runner_up < distance:
        distance, runner_up, student, rival = runner_up, distance, rival, student
    if distance > RULES.threshold:
        return FaceMatch(MatchKind.UNKNOWN, None, distance, runner_up, student, rival)
    if runner_up - distance < RULES.margin or runner_up == distance:
        return FaceMatch(MatchKind.AMBIGUOUS, None, distance, runner_up, student, rival)
    return FaceMatch(MatchKind.STUDENT, student, distance, runner_up, student, rival)


def seconds(time: datetime) -> float:
    return (time - NINE).total_seconds()


def watch(
    frames: Iterable[tuple[float, FaceMatch]], *, rules: MatchingRules = RULES, person: int = 1
) -> list[Confirmation | None]:
    """What one person's frames, (seconds, match), give one after the other."""
    confirmer = Confirmer(rules)
    return [confirmer.observe(person, NINE + timedelta(seconds=time), seen) for time, seen in frames]


def every(interval: float, matches: Iterable[FaceMatch]) -> list[tuple[float, FaceMatch]]:
    return [(interval * number, seen) for number, seen in enumerate(matches)]


def test_three_good_frames_confirm_a_student() -> None:
    first, second, third = watch(every(0.5, [match(0.40), match(0.45), match(0.35)]))
    assert first is None
    assert second is None
    assert third is not None
    assert (third.student, third.frames) == ("anna", 3)
    assert (seconds(third.first_seen), seconds(third.last_seen)) == (0.0, 1.0)
    assert third.distance == pytest.approx(0.4)
    assert third.gap == pytest.approx(0.16)
    assert third.confidence == pytest.approx(confidence_of(0.4, 0.55))


@pytest.mark.parametrize("interval", [5.0, 0.5, 0.25])
def test_slow_and_fast_cameras_confirm(interval: float) -> None:
    assert watch(every(interval, [match(0.4)] * 3))[-1] is not None


def test_frames_of_one_moment_are_one_vote() -> None:
    assert not any(watch(every(0.1, [match(0.3)] * 6)))  # votes at 0.0 and 0.3
    assert watch(every(0.1, [match(0.3)] * 7))[-1] is not None  # and at 0.6


def test_a_frame_sent_twice_is_one_vote_whatever_the_interval() -> None:
    rules = MatchingSettings(vote_interval_s=0).rules(Family.DLIB)
    assert not any(watch([(0.0, match(0.3)), (0.1, match(0.3))] * 10, rules=rules))


def test_weak_frames_count_for_less() -> None:
    results = watch(every(0.5, [match(0.52)] * 10))
    assert results.index(next(filter(None, results))) == 4  # 0.6 votes each


@pytest.mark.parametrize("distance", [0.521, 0.53, 0.549])
def test_a_face_always_just_under_the_threshold_is_never_confirmed(distance: float) -> None:
    assert not any(watch(every(0.5, [match(distance)] * 2000)))


def test_another_name_in_between_weighs_against() -> None:
    anna, ben = match(0.45), match(0.45, student="ben", rival="anna")
    assert not any(watch(every(0.5, [anna, anna, ben, anna])))
    assert not any(watch(every(0.5, [anna, ben] * 50)))


def test_a_student_of_another_course_in_between_weighs_against() -> None:
    outsider = FaceMatch(MatchKind.NOT_ON_ROSTER, None, 0.4, 0.45, "carl", "anna")
    assert not any(watch(every(0.5, [match(0.45), match(0.45), outsider, match(0.45)])))


def test_persons_do_not_share_votes() -> None:
    confirmer = Confirmer(RULES)
    for person in range(10):
        assert confirmer.observe(person, NINE + timedelta(seconds=person), match(0.3)) is None


def test_a_student_turned_away_for_long_is_confirmed_soon_after_facing_the_camera() -> None:
    away = [match(0.7)] * 60
    results = watch(every(0.5, away + [match(0.4)] * 60))
    found = next(filter(None, results))
    assert seconds(found.first_seen) == 30.0
    assert seconds(found.last_seen) < 60


def test_goes_on_seeing_the_confirmed_student() -> None:
    confirmer = Confirmer(RULES)
    for second in (10, 11, 12):
        confirmer.observe(1, NINE + timedelta(seconds=second), match(0.4))
    assert confirmer.observe(1, NINE + timedelta(seconds=13), match(0.6)) is None
    later = confirmer.observe(1, NINE + timedelta(seconds=14), match(0.5))
    late_frame = confirmer.observe(1, NINE + timedelta(seconds=5), match(0.5))
    assert later is not None
    assert late_frame is not None
    assert (seconds(late_frame.first_seen), seconds(late_frame.last_seen)) == (5.0, 14.0)
    assert late_frame.distance == later.distance == pytest.approx(0.4)  # the best evidence is what is told


def test_frames_in_any_order_confirm() -> None:
    shuffled = [(time, match(0.4)) for time in (2.0, 0.5, 1.0)]
    found = watch(shuffled)[-1]
    assert found is not None
    assert (seconds(found.first_seen), seconds(found.last_seen)) == (0.5, 2.0)


def test_a_lookalike_who_stays_for_a_whole_lecture_is_not_confirmed() -> None:
    chance, noise, frames = np.random.default_rng(11), 0.0, []
    for _ in range(10_800):  # 90 minutes, twice a second, changing slowly
        noise = 0.9 * noise + math.sqrt(1 - 0.81) * chance.normal()
        frames.append(match(0.6 + 0.035 * noise))
    assert sum(frame.kind is MatchKind.STUDENT for frame in frames) > 500  # named by chance again and again
    assert not any(watch(every(0.5, frames)))


def test_twins_are_not_confirmed_by_luck() -> None:
    chance, frames = np.random.default_rng(12), []
    for anna, ben in chance.normal(0.42, 0.03, size=(10_800, 2)):
        frames.append(match(anna, ben))
    assert sum(frame.kind is MatchKind.STUDENT for frame in frames) > 3000
    assert not any(watch(every(0.5, frames)))


def test_a_student_with_a_similar_one_on_the_roster_is_confirmed() -> None:
    chance = np.random.default_rng(13)
    frames = [
        match(anna, ben) for anna, ben in zip(chance.normal(0.4, 0.03, 60), chance.normal(0.5, 0.03, 60), strict=True)
    ]
    assert {found.student for found in watch(every(0.5, frames)) if found} == {"anna"}


def test_a_person_mistaken_for_two_who_changed_places_is_confirmed_as_the_second_too() -> None:
    anna, ben = match(0.4, 0.8), match(0.4, 0.8, "ben", "anna")
    results = watch(every(0.5, [anna] * 20 + [ben] * 40))
    assert [found.student for found in results if found][-1] == "ben"


def test_remembers_a_bounded_number_of_persons() -> None:
    confirmer = Confirmer(RULES)
    for person in range(3000):
        confirmer.observe(person, NINE, match(0.4))
    assert len(confirmer._persons) <= 1024


@pytest.mark.parametrize(("distance", "least", "most"), [(0.0, 1, 1), (0.35, 0.9, 0.96), (0.55, 0.5, 0.5), (2, 0, 0)])
def test_confidence_falls_with_distance(distance: float, least: float, most: float) -> None:
    assert least <= confidence_of(distance, 0.55) <= most


_times = st.floats(0, 3600).map(lambda time: round(time, 3))
_unknown = st.builds(match, st.floats(0.5501, 1.2), st.floats(0.5501, 1.2))
_tie = st.builds(lambda near, gap: match(near, near + gap), st.floats(0.1, 0.55), st.floats(0, 0.0399))
_anna = st.builds(match, st.floats(0.0, 0.5), st.floats(0.6, 1.2))


def frames_of(matches: st.SearchStrategy[FaceMatch]) -> st.SearchStrategy[list[tuple[float, FaceMatch]]]:
    return st.lists(st.tuples(_times, matches), max_size=60)


@settings(deadline=None)
@given(frames=frames_of(_unknown))
def test_a_stranger_is_never_confirmed(frames: list[tuple[float, FaceMatch]]) -> None:
    assert not any(watch(frames))


@settings(deadline=None)
@given(frames=frames_of(st.one_of(_tie, _unknown)))
def test_a_tie_is_never_confirmed(frames: list[tuple[float, FaceMatch]]) -> None:
    assert not any(watch(frames))


@settings(deadline=None)
@given(
    frames=frames_of(st.one_of(_tie, _unknown)),
    lucky=st.lists(st.tuples(_times, _anna), max_size=RULES.confirm_frames - 1),
    order=st.randoms(use_true_random=False),
)
def test_fewer_lucky_frames_than_asked_never_confirm(
    frames: list[tuple[float, FaceMatch]], lucky: list[tuple[float, FaceMatch]], order: object
) -> None:
    together = frames + lucky
    order.shuffle(together)  # type: ignore[attr-defined]
    assert not any(watch(together))


@settings(deadline=None)
@given(start=_times, frames=st.lists(st.tuples(st.floats(0, 0.249), _anna), max_size=60))
def test_one_moment_never_confirms(start: float, frames: list[tuple[float, FaceMatch]]) -> None:
    assert not any(watch([(start + time, seen) for time, seen in frames]))


@settings(deadline=None)
@given(
    frames=frames_of(st.one_of(_anna, _tie, _unknown)),
    repeats=st.lists(st.integers(0, 59), max_size=40),
)
def test_repeating_frames_confirms_nobody_new(frames: list[tuple[float, FaceMatch]], repeats: list[int]) -> None:
    """A camera that lost its connection sends frames again: that is no further evidence."""
    once = any(watch(frames))
    again = frames + [frames[place] for place in repeats if place < len(frames)]
    assert any(watch(again)) == once


SMALL, BLURRED, FAR = View(40, 100), View(80, 5), View(20, 1)


def seen_as(view: View, matches: Iterable[FaceMatch]) -> list[Confirmation | None]:
    """As `watch`, twice a second, with faces seen so."""
    confirmer = Confirmer(RULES)
    frames = every(0.5, matches)
    return [confirmer.observe(1, NINE + timedelta(seconds=time), seen, view) for time, seen in frames]


@pytest.mark.parametrize(("view", "frames"), [(CLEAR, 3), (SMALL, 5), (BLURRED, 6), (FAR, 12)])
def test_small_and_blurred_faces_take_longer(view: View, frames: int) -> None:
    results = seen_as(view, [match(0.4)] * 40)
    assert [found is not None for found in results].index(True) == frames - 1


@settings(deadline=None)
@given(frames=st.lists(st.one_of(_tie, _unknown), max_size=80), view=st.sampled_from([SMALL, BLURRED, FAR]))
def test_unclear_faces_confirm_no_stranger_and_no_tie(frames: list[FaceMatch], view: View) -> None:
    assert not any(seen_as(view, frames))


def test_a_blurred_lookalike_and_blurred_twins_are_not_confirmed_by_staying() -> None:
    chance, noise, lookalike = np.random.default_rng(11), 0.0, []
    for _ in range(10_800):
        noise = 0.9 * noise + math.sqrt(1 - 0.81) * chance.normal()
        lookalike.append(match(0.6 + 0.035 * noise))
    assert not any(seen_as(FAR, lookalike))
    twins = [match(anna, ben) for anna, ben in chance.normal(0.42, 0.03, size=(10_800, 2))]
    assert not any(seen_as(FAR, twins))


def test_a_clear_frame_outweighs_blurred_ones() -> None:
    """Two clear frames of Ben among many soft ones that say Anna: neither has it."""
    confirmer, anna, ben = Confirmer(RULES), match(0.45), match(0.45, student="ben", rival="anna")
    results = []
    for number in range(40):
        seen, view = (ben, CLEAR) if number % 3 == 2 else (anna, FAR)
        results.append(confirmer.observe(1, NINE + timedelta(seconds=0.5 * number), seen, view))
    assert not any(found.student == "anna" for found in results if found)


def test_the_proof_is_of_the_frames_that_confirmed() -> None:
    frames = [match(0.45, 0.7), match(0.8, 0.9), match(0.41, 0.65), match(0.43, 0.61), match(0.40, 0.62), match(0.3)]
    *_, before, last = (found for found in watch(every(0.5, frames)) if found)
    proof = last.proof
    assert before.proof is proof  # what is seen later adds nothing
    assert proof.frames == len(proof.kept)
    assert proof.distance == pytest.approx(np.mean([frame.distance for frame in proof.kept]))
    assert [(frame.distance, frame.runner_up) for frame in proof.kept][-1] == (0.40, 0.62)
    gaps = [frame.runner_up - frame.distance for frame in proof.kept if frame.runner_up is not None]
    assert proof.margin == pytest.approx(np.mean(gaps))
    assert (proof.first_frame_at, proof.last_frame_at) == (proof.kept[0].captured_at, proof.kept[-1].captured_at)
    assert all(frame.weight == 1.0 and frame.width == CLEAR.width for frame in proof.kept)


def test_a_proof_keeps_a_bounded_number_of_frames_the_first_and_the_best() -> None:
    distances = [0.5399] * 30 + [0.45, *[0.5399] * 30, 0.4] + [0.42] * 60  # a fifth of a vote each, then whole ones
    proof = next(found.proof for found in seen_as(FAR, [match(distance) for distance in distances]) if found)
    assert proof.frames > MOST_FRAMES
    assert len(proof.kept) == MOST_FRAMES
    assert [frame.distance for frame in proof.kept].count(0.42) >= 5
    assert min(frame.captured_at for frame in proof.kept) == proof.first_frame_at
    assert proof.kept == tuple(sorted(proof.kept, key=lambda frame: frame.captured_at))


def test_without_any_other_student_the_proof_has_a_margin_too() -> None:
    lone = FaceMatch(MatchKind.STUDENT, "anna", 0.4, math.inf, "anna", None)
    proof = next(found.proof for found in watch(every(0.5, [lone] * 3)) if found)
    assert proof.margin == pytest.approx(4 * RULES.margin)
    assert [frame.runner_up for frame in proof.kept] == [None] * 3
