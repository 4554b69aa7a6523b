"""What the check says of a face as frames of it come in."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.database.models import HeldReason
from attendance.face_engine.liveness import LivenessModel
from recognition_service.presentation.appearance import Appearance, difference
from recognition_service.presentation.check import (
    CLEAR_LOOKS,
    LONGEST_WAIT_S,
    NO_PLANE,
    FaceVerdict,
    PresentationCheck,
    State,
)
from recognition_service.presentation.views import FaceView
from tests.attendance.face_engine.liveness_models import write_model
from tests.recognition_service.living import living_view, picture_view
from tests.recognition_service.scenes import RULES

ENROLLED = np.zeros((1, 128), np.float32)


def encoding(distance: float) -> NDArray[np.float32]:
    found = np.zeros(128, np.float32)
    found[0] = distance
    return found


def see(
    check: PresentationCheck, views: Sequence[FaceView | None], *, distance: float = 0.3, every_s: float = 0.5
) -> list[FaceVerdict]:
    return [
        check.see("anna", number * every_s, view, encoding(distance + number / 1000), lambda: ENROLLED)
        for number, view in enumerate(views)
    ]


def test_a_living_face_is_clear_at_once() -> None:
    verdicts = see(PresentationCheck(RULES), [living_view(number / 2) for number in range(6)])
    assert [verdict.state for verdict in verdicts[:2]] == [State.WAITING] * 2
    assert [verdict.state for verdict in verdicts[2:]] == [State.CLEAR] * 4


def test_who_is_clear_costs_nothing_any_more() -> None:
    check = PresentationCheck(RULES)
    see(check, [living_view(number / 2) for number in range(20)])
    assert check.examined == 3


def test_a_photo_waits_and_is_suspect_in_the_end() -> None:
    frames = int(LONGEST_WAIT_S / 0.5) + 2
    verdicts = see(PresentationCheck(RULES), [picture_view(seed=number) for number in range(frames)])
    assert [verdict.reasons for verdict in verdicts] == [(HeldReason.NO_VARIANCE,)] * frames
    assert verdicts[60].state is State.WAITING
    assert verdicts[-1].state is State.SUSPECT


def test_somebody_who_sat_still_and_moves_is_clear() -> None:
    still = [picture_view(seed=number) for number in range(130)]
    verdicts = see(PresentationCheck(RULES), [*still, *(living_view(number / 2) for number in range(12))])
    assert verdicts[129].state is State.SUSPECT
    assert verdicts[-1].state is State.CLEAR


def test_a_frame_sent_again_says_so() -> None:
    check = PresentationCheck(RULES)
    view = picture_view(noise=0)
    verdicts = [check.see("anna", number / 2, view, encoding(0.3), lambda: ENROLLED) for number in range(4)]
    assert verdicts[-1] == FaceVerdict(State.SUSPECT, (HeldReason.SAME_PICTURE,))


@pytest.mark.parametrize("turns", ["ABABAB", "AABBAABB", "AAABBB", "ABBABA"])
def test_photos_sent_in_turn_say_so(turns: str) -> None:
    check = PresentationCheck(RULES)
    photos = {"A": living_view(0), "B": living_view(0.5)}
    verdicts = [
        check.see("anna", number / 2, photos[turn], encoding(ord(turn) / 200), lambda: ENROLLED)
        for number, turn in enumerate(turns)
    ]
    assert State.CLEAR not in {verdict.state for verdict in verdicts}
    assert verdicts[-1] == FaceVerdict(State.SUSPECT, (HeldReason.SAME_PICTURE,))


def test_a_photo_and_its_mirror_image_in_turn_are_one() -> None:
    photos = [picture_view(seed=number) for number in range(12)]
    turned = [replace(photo, patch=np.ascontiguousarray(photo.patch[:, ::-1])) for photo in photos]
    shown = [photo if number % 2 else other for number, (photo, other) in enumerate(zip(photos, turned, strict=True))]
    assert difference(Appearance(photos[0].patch), Appearance(turned[0].patch)) > NO_PLANE, "not alike by itself"
    verdicts = see(PresentationCheck(RULES), shown)
    assert {verdict.state for verdict in verdicts} == {State.WAITING}


def test_a_face_on_its_enrolment_photo_says_so_and_is_never_clear() -> None:
    living = [living_view(number / 2) for number in range(8)]
    verdicts = see(PresentationCheck(RULES), living, distance=RULES.same_picture / 2)
    assert verdicts[-1] == FaceVerdict(State.SUSPECT, (HeldReason.COPY_OF_PHOTO,))


def test_a_video_that_is_suspect_is_compared_with_a_few_looks_however_long_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[float] = []

    def counted(*pair: Appearance, enough: float) -> float:
        compared.append(difference(*pair, enough=enough))
        return compared[-1]

    monkeypatch.setattr("recognition_service.presentation.check.difference", counted)
    video = [living_view(number / 2) for number in range(30)]
    verdicts = see(PresentationCheck(RULES), video, distance=0.0)
    assert verdicts[-1].state is State.SUSPECT
    assert len(compared) <= 2 * CLEAR_LOOKS  # as they are, and in a mirror


def test_a_face_without_pixels_shows_no_sign_of_life() -> None:
    verdicts = see(PresentationCheck(RULES), [None] * 20)
    assert {verdict.state for verdict in verdicts} == {State.WAITING}


def test_frames_of_one_moment_are_one() -> None:
    check = PresentationCheck(RULES)
    verdicts = see(check, [living_view(number / 2) for number in range(10)], every_s=RULES.vote_interval_s / 20)
    assert {verdict.state for verdict in verdicts} == {State.WAITING}
    assert check.examined == 1


@pytest.mark.parametrize(("live", "state"), [(False, State.SUSPECT), (True, State.CLEAR)])
def test_a_model_holds_by_the_votes_of_a_track_and_clears_nobody(tmp_path: Path, live: bool, state: State) -> None:
    model = LivenessModel(write_model(tmp_path / "model.onnx"))
    crop = np.full((80, 80, 3), 200 if live else 50, np.uint8)
    living = [replace(living_view(number / 2), crop=crop) for number in range(4)]
    verdict = see(PresentationCheck(RULES, model), living)[-1]
    assert verdict.state is state
    assert verdict.reasons == (() if live else (HeldReason.LIVENESS_MODEL,))
    pictures = [replace(picture_view(seed=number), crop=crop) for number in range(6)]
    assert see(PresentationCheck(RULES, model), pictures)[-1].state is not State.CLEAR


def test_one_frame_that_a_model_doubts_is_outvoted(tmp_path: Path) -> None:
    model = LivenessModel(write_model(tmp_path / "model.onnx"))
    crops = [np.full((80, 80, 3), level, np.uint8) for level in (50, 200, 200, 200)]
    living = [replace(living_view(number / 2), crop=crop) for number, crop in enumerate(crops)]
    assert see(PresentationCheck(RULES, model), living)[-1].state is State.CLEAR
