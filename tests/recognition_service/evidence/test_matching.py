import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attendance.gallery.gallery import Gallery
from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.evidence.matching import Matcher, one_face_each
from recognition_service.evidence.seen import STRANGER, FaceMatch, MatchKind

SETTINGS = MatchingSettings(threshold=0.55, campus_threshold=0.5, margin=0.04).rules(Family.DLIB)
ROSTER = frozenset({"anna", "ben", "never-enrolled"})


def gallery(**places: float | list[float]) -> Gallery:
    """Students on a line, so that a distance is a difference."""
    rows = {name: np.atleast_1d(np.asarray(place, np.float32)) for name, place in places.items()}
    encodings = {name: np.stack([place, np.zeros_like(place)], axis=1) for name, place in rows.items()}
    return Gallery.from_encodings(encodings, model="line", encoding_size=2)


def matcher(**places: float | list[float]) -> Matcher:
    return Matcher(gallery(**places), SETTINGS)


def at(*places: float) -> np.ndarray:
    return np.array([[place, 0.0] for place in places], np.float32)


def test_names_the_nearest_student_of_the_roster() -> None:
    anna, ben = matcher(anna=[0.0, 5.0], ben=1.0).match(at(5.3, 0.9), ROSTER)
    assert (anna.kind, anna.student, ben.student) == (MatchKind.STUDENT, "anna", "ben")
    assert anna.distance == pytest.approx(0.3)
    assert ben.runner_up == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("place", "roster", "kind"),
    [
        (0.549, ROSTER, MatchKind.STUDENT),
        (0.551, ROSTER, MatchKind.UNKNOWN),
        (0.499, None, MatchKind.STUDENT),
        (0.501, None, MatchKind.UNKNOWN),
    ],
)
def test_a_face_beyond_the_threshold_is_nobodys(place: float, roster: frozenset[str] | None, kind: MatchKind) -> None:
    [match] = matcher(anna=0.0).match(at(place), roster)
    assert match.kind is kind
    assert match.student == ("anna" if kind is MatchKind.STUDENT else None)
    assert match.runner_up == math.inf


@pytest.mark.parametrize("roster", [ROSTER, None])
def test_a_face_between_two_students_is_neither(roster: frozenset[str] | None) -> None:
    tie, near_anna = matcher(anna=0.0, ben=0.6).match(at(0.31, 0.27), roster)
    assert (tie.kind, tie.student) == (MatchKind.AMBIGUOUS, None)
    assert (near_anna.kind, near_anna.student) == (MatchKind.STUDENT, "anna")


def test_tells_students_of_other_courses_from_those_of_the_roster() -> None:
    both = matcher(anna=0.0, carl=0.8)
    carl, tie, anna, unsure = both.match(at(0.6, 0.39, 0.2, 0.3), ROSTER)
    assert (carl.kind, carl.student, carl.nearest) == (MatchKind.NOT_ON_ROSTER, None, "carl")
    assert carl.distance == pytest.approx(0.2)
    assert (tie.kind, tie.student) == (MatchKind.AMBIGUOUS, None)  # as near to Carl as to Anna
    assert anna.student == "anna"
    assert anna.runner_up == math.inf  # Carl is too far away to matter
    assert unsure.student == "anna"
    assert unsure.runner_up == pytest.approx(0.5)


def test_an_outsider_beyond_the_campus_threshold_decides_nothing() -> None:
    [match] = matcher(anna=0.0, carl=1.05).match(at(0.53), ROSTER)
    assert match.student == "anna"  # at 0.53; Carl, at 0.52, could be anybody of a whole campus


def test_only_outsiders_and_an_empty_roster() -> None:
    near, far = matcher(carl=0.0).match(at(0.1, 0.9), frozenset())
    assert near.kind is MatchKind.NOT_ON_ROSTER
    assert far == STRANGER


@pytest.mark.parametrize("roster", [ROSTER, None])
def test_an_empty_gallery_names_nobody(roster: frozenset[str] | None) -> None:
    assert Matcher(Gallery.empty("line", 2), SETTINGS).match(at(0.0), roster) == [STRANGER]


def test_no_faces_give_no_matches() -> None:
    assert matcher(anna=0.0).match(np.empty((0, 2), np.float32), ROSTER) == []


def test_an_encoding_that_is_no_number_is_a_stranger_and_harms_no_other() -> None:
    bad, good, worse = matcher(anna=0.0).match(at(math.nan, 0.1, math.inf), ROSTER)
    assert bad == worse == STRANGER
    assert good.student == "anna"


@pytest.mark.parametrize("shape", [(1, 3), (2,)])
def test_refuses_encodings_of_another_size(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the gallery's have 2"):
        matcher(anna=0.0).match(np.zeros(shape, np.float32), ROSTER)


@settings(deadline=None)
@given(place=st.floats(-1, 2, width=32), margin=st.floats(0, 0.2))
def test_whoever_is_named_is_near_and_clearly_nearer_than_any_other(place: float, margin: float) -> None:
    places = {"anna": 0.0, "ben": 0.5, "carl": 1.0}
    rules = MatchingSettings(margin=margin).rules(Family.DLIB)
    for roster in (ROSTER, None):
        [match] = Matcher(gallery(**places), rules).match(at(place), roster)
        ordered = sorted(
            (abs(place - other), name)
            for name, other in places.items()
            if roster is None or name in roster or abs(place - other) <= rules.campus_threshold - 1e-6
        )
        if match.student is not None:
            assert ordered[0][1] == match.student
            assert ordered[0][0] <= (0.5 if roster is None else 0.55) + 1e-6
            assert len(ordered) == 1 or ordered[1][0] - ordered[0][0] >= margin - 1e-6
            assert len(ordered) == 1 or ordered[1][0] != ordered[0][0]


def test_one_student_has_one_face_in_a_frame() -> None:
    def face(student: str | None, distance: float) -> FaceMatch:
        kind = MatchKind.STUDENT if student else MatchKind.UNKNOWN
        return FaceMatch(kind, student, distance, 0.9, student or "anna", "ben")

    settled = one_face_each(
        [face("anna", 0.5), face("ben", 0.4), face("anna", 0.3), face(None, 0.7), face("anna", 0.3)]
    )
    assert [match.student for match in settled] == [None, "ben", "anna", None, None]
    kinds = [match.kind for match in settled]
    assert kinds == [
        MatchKind.AMBIGUOUS,
        MatchKind.STUDENT,
        MatchKind.STUDENT,
        MatchKind.UNKNOWN,
        MatchKind.AMBIGUOUS,
    ]
    assert one_face_each([]) == []


def test_a_guest_is_named_at_the_campus_threshold_and_with_the_margin() -> None:
    guests = frozenset({"dora"})
    found = matcher(anna=0.0, dora=5.0, edith=9.0, fay=9.3)
    near, far, else_s, tied = found.match(at(5.45, 5.52, 9.0, 9.16), ROSTER, guests | {"edith"})
    assert (near.kind, near.student) == (MatchKind.STUDENT, "dora")
    assert (far.kind, far.student) == (MatchKind.UNKNOWN, None)
    assert (else_s.kind, else_s.student) == (MatchKind.STUDENT, "edith")
    assert (tied.kind, tied.student) == (MatchKind.NOT_ON_ROSTER, None)
    assert found.match(at(5.0), ROSTER)[0].kind is MatchKind.NOT_ON_ROSTER
    assert found.match(at(0.1), ROSTER, guests)[0].student == "anna"
