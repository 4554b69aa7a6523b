from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.gallery import Gallery
from attendance.settings.families import Family
from attendance.settings.model import MatchingRules, MatchingSettings
from recognition_service.evidence.matching import Matcher
from recognition_service.evidence.seen import FaceMatch, MatchKind
from recognition_service.evidence.settled import SettledFaces
from tests.recognition_service.scenes import PEOPLE, RULES, STUDENTS, gallery

ROSTER = frozenset(STUDENTS[:3])


def near(person: int, distance: float, seed: int = 0) -> NDArray[np.float32]:
    direction = np.random.default_rng(seed).normal(size=128)
    return np.asarray(PEOPLE[person] + distance * direction / np.linalg.norm(direction), np.float32)


class CountedFaces(SettledFaces):
    """Counts the faces that were matched without a search."""

    spared = 0

    def match(
        self,
        matcher: Matcher,
        encodings: NDArray[np.float32],
        roster: frozenset[str],
        persons: Sequence[int],
        guests: frozenset[str] = frozenset(),
    ) -> list[FaceMatch]:
        before = self.searched
        found = super().match(matcher, encodings, roster, persons, guests)
        self.spared += len(found) - (self.searched - before)
        return found


def settle(rules: MatchingRules = RULES) -> tuple[CountedFaces, Matcher]:
    """Anna is confirmed as person 1."""
    matcher, faces = Matcher(gallery(0, 1, 2, 3), rules), CountedFaces(rules)
    probe = near(0, 0.3)
    [match] = faces.match(matcher, probe[np.newaxis], ROSTER, [1])
    faces.confirmed(matcher, probe, ROSTER, 1, match)
    assert (faces.searched, faces.spared) == (1, 0)
    return faces, matcher


def test_the_same_face_again_is_not_searched_for() -> None:
    faces, matcher = settle()
    [match] = faces.match(matcher, near(0, 0.31)[np.newaxis], ROSTER, [1])
    assert (match.kind, match.student) == (MatchKind.STUDENT, "anna")
    assert match.distance == pytest.approx(0.31, abs=1e-5)
    assert (faces.searched, faces.spared) == (1, 1)


@pytest.mark.parametrize("person", [1, 3, 5])
def test_whoever_takes_the_place_is_searched_for(person: int) -> None:
    faces, matcher = settle()
    probe = near(person, 0.2)[np.newaxis]
    assert faces.match(matcher, probe, ROSTER, [1]) == matcher.match(probe, ROSTER)
    assert (faces.searched, faces.spared) == (2, 0)


@pytest.mark.parametrize("change", ["person", "roster", "index"])
def test_another_person_roster_or_index_is_searched(change: str) -> None:
    faces, matcher = settle()
    roster = ROSTER - {"ben"} if change == "roster" else ROSTER
    if change == "index":
        matcher = Matcher(gallery(1, 2, 3), RULES)  # anna was erased
    probe = near(0, 0.3)[np.newaxis]
    assert faces.match(matcher, probe, roster, [2 if change == "person" else 1]) == matcher.match(probe, roster)
    assert faces.spared == 0


def test_the_only_student_is_known_by_their_own_encodings() -> None:
    matcher, faces = Matcher(gallery(0), RULES), CountedFaces(RULES)
    for probe in (near(0, 0.3), near(0, 0.32), near(5, 0.1)):
        [match] = faces.match(matcher, probe[np.newaxis], ROSTER, [1])
        assert match.student == matcher.match(probe[np.newaxis], ROSTER)[0].student
        faces.confirmed(matcher, probe, ROSTER, 1, match)
    assert (faces.searched, faces.spared) == (2, 1)


def test_remembers_a_bounded_number_and_forgets() -> None:
    faces, matcher = settle()
    [match] = matcher.match(near(0, 0.3)[np.newaxis], ROSTER)
    for person in range(2000):
        faces.confirmed(matcher, near(0, 0.3), ROSTER, person, match)
    assert len(faces._searches) <= 512
    faces.forget()
    faces.match(matcher, near(0, 0.3)[np.newaxis], ROSTER, [1999])
    assert faces.spared == 0


@pytest.mark.parametrize("margin", [0.0, 0.04, 0.1])
def test_says_what_a_search_would_of_similar_students_who_change_places(margin: float) -> None:
    """Faces that wander between two students who look alike, a third of another course, and nobody."""
    rules, chance = MatchingSettings(margin=margin).rules(Family.DLIB), np.random.default_rng(21)
    twin, outsider = near(0, 0.42, 1), near(0, 0.47, 2)
    encodings = {"anna": PEOPLE[:1].astype(np.float32), "ben": twin[np.newaxis], "out": outsider[np.newaxis]}
    matcher = Matcher(Gallery.from_encodings(encodings, model="test", encoding_size=128), rules)
    faces, roster = CountedFaces(rules), frozenset({"anna", "ben"})
    places = np.stack([PEOPLE[0], twin, outsider, PEOPLE[6]])
    probe, target = places[0].copy(), 0
    kinds = set()
    for frame in range(3000):
        target = int(chance.integers(4)) if frame % 40 == 0 else target
        noise = chance.normal(size=128)
        probe += 0.2 * (places[target] - probe) + 0.06 * noise / np.linalg.norm(noise)
        encoding = probe.astype(np.float32)
        [wanted], [got] = (
            matcher.match(encoding[np.newaxis], roster),
            faces.match(matcher, encoding[np.newaxis], roster, [1]),
        )
        kinds.add(wanted.kind)
        assert (got.kind, got.student) == (wanted.kind, wanted.student)
        assert got.distance == pytest.approx(wanted.distance, abs=1e-5)
        assert got.runner_up <= wanted.runner_up + 1e-5  # a bound from below, and far enough for a whole vote
        assert _apart(got, rules) == pytest.approx(_apart(wanted, rules), abs=1e-3)
        faces.confirmed(matcher, encoding, roster, 1, got)
    assert faces.spared > 300
    assert kinds >= {MatchKind.STUDENT, MatchKind.NOT_ON_ROSTER, MatchKind.UNKNOWN}


def _apart(match: FaceMatch, rules: MatchingRules) -> float:
    """What the vote makes of the runner-up."""
    return min(1.0, (match.runner_up - match.distance) / (2 * rules.margin)) if rules.margin else 1.0
