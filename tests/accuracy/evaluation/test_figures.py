"""Figures that can be worked out by hand, from planted encodings."""

import numpy as np
import pytest
from numpy.typing import NDArray

from accuracy.evaluation import searching
from accuracy.evaluation.decisions import Rule, SearchOutcome, decide, with_own
from accuracy.evaluation.figures import Evaluation, evaluate
from accuracy.evaluation.searching import Sample, search
from accuracy.evaluation.splitting import hold_out, leave_one_out, split, without_repeats
from accuracy.statistics.bootstrap import draw_people, share
from attendance.gallery.gallery import Candidate, Gallery
from attendance.settings.families import Family
from attendance.settings.model import MatchingSettings
from recognition_service.evidence.matching import Matcher

RULE = Rule(0.55, 0.04)


def at(person: str, *numbers: float, photo: str = "") -> Sample:
    return Sample(person, photo or f"{person}/{numbers}.jpg", np.array(numbers, np.float32))


def enrolled(*samples: Sample) -> dict[str, NDArray[np.float32]]:
    people = dict.fromkeys(sample.person for sample in samples)
    return {person: np.stack([one.encoding for one in samples if one.person == person]) for person in people}


def gallery_of(encodings: dict[str, NDArray[np.float32]]) -> Gallery:
    size = next(iter(encodings.values())).shape[1]
    return Gallery.from_encodings(encodings, model="planted", encoding_size=size)


def evaluated(gallery: dict[str, NDArray[np.float32]], probes: list[Sample], *, in_turn: bool = False) -> Evaluation:
    searches = search(gallery_of(gallery), probes, in_turn=in_turn)
    return evaluate(searches, {"roster": RULE}, replicates=200)


LINE = enrolled(at("a", 0, 0), at("b", 1, 0), at("c", 3, 0))


def test_rank_one_and_rank_two() -> None:
    probes = [at("a", 0.1, 0), at("a", 0.7, 0), at("b", 1.1, 0), at("c", 1.2, 0)]
    result = evaluated(LINE, probes)
    # The second is nearer to b; the fourth is nearest to b, then a (1.2), then c (1.8).
    assert [rate.value for rate in result.cmc] == [0.5, 0.75, 1.0]
    assert (result.mated, result.nonmated, result.mated_people) == (4, 0, 3)
    (at_rule,) = result.rules
    assert at_rule.mated == {SearchOutcome.RIGHT: 2, SearchOutcome.WRONG: 2}
    assert at_rule.false_positive is None
    assert [(confusion.probe, confusion.taken_for) for confusion in result.confusions] == [(3, "b"), (1, "b")]
    assert all(confusion.named and not confusion.stranger for confusion in result.confusions)


def test_the_own_person_loses_a_tie() -> None:
    result = evaluated(LINE, [at("a", 0.5, 0)])
    assert result.cmc[0].value == 0
    assert result.rules[0].mated == {SearchOutcome.TOO_CLOSE: 1}
    assert not result.confusions[0].named


def test_tpir_at_fpir_by_hand() -> None:
    # Strangers at distances 0.001, 0.002, ..., 1 from a; of 1,000 searches 1 % is ten: the threshold is the eleventh's.
    strangers = [at(f"s{place}", 0, place / 1000) for place in range(1, 1001)]
    mated = [at("a", 0, -distance) for distance in (0.0005, 0.0015, 0.0105, 0.02)]
    result = evaluated(enrolled(at("a", 0, 0), at("b", 9, 9)), [*mated, *strangers])
    percent, tenth = result.tpir
    assert percent.trials == tenth.trials == 1000
    assert percent.rate is not None
    assert tenth.rate is not None
    assert percent.rate.value == 0.75  # 0.0005, 0.0015 and 0.0105 are nearer than 0.011
    assert percent.threshold == pytest.approx(0.011, abs=1e-6)
    assert percent.threshold is not None
    assert percent.threshold < 0.011
    assert tenth.rate.value == 0.5  # of 0.1 % one is accepted, at 0.001; 0.002 is not
    assert "rests on 1 false positive " in tenth.remark
    assert percent.rate.low <= percent.rate.value <= percent.rate.high


def test_a_mate_that_is_not_the_nearest_is_no_true_positive_however_lax_the_threshold() -> None:
    strangers = [at(f"s{place}", 50, 0) for place in range(100)]
    result = evaluated(LINE, [at("a", 0.1, 0), at("a", 0.9, 0), *strangers])
    assert result.tpir[0].rate is not None
    assert result.tpir[0].rate.value == 0.5


@pytest.mark.parametrize(("strangers", "supported"), [(99, []), (100, [0.01]), (999, [0.01]), (1000, [0.01, 0.001])])
def test_too_few_searches_of_strangers_are_said(strangers: int, supported: list[float]) -> None:
    far = [at(f"s{place}", 20 + place, 0) for place in range(strangers)]
    result = evaluated(LINE, [at("a", 0.1, 0), *far])
    assert [found.wanted for found in result.tpir if found.rate is not None] == supported
    for found in result.tpir:
        if found.rate is None:
            assert f"there are {strangers}" in found.remark


def test_tar_at_far_by_hand() -> None:
    # One probe a person, on a line of 101 people one apart: each has 100 impostor comparisons, on both sides.
    people = [at(f"p{place}", place, 0) for place in range(101)]
    probes = [at(f"p{place}", place, 0.999 if place < 50 else 3) for place in range(101)]
    result = evaluated(enrolled(*people), probes)
    percent = result.tar[0]
    assert percent.trials == 101 * 100
    assert percent.rate is not None
    # 1 % is 101 comparisons. The nearest are 99 at hypot(1, 0.999); the next are a tie, which is refused together.
    assert percent.rate.value == pytest.approx(50 / 101)
    assert percent.threshold == pytest.approx(np.hypot(2, 0.999), abs=1e-3)
    assert len(result.genuine) == 101
    assert len(result.impostor) == 10100


def test_everybody_is_a_stranger_in_turn() -> None:
    result = evaluated(LINE, [at("a", 0.1, 0), at("b", 1.1, 0), at("c", 3.1, 0)], in_turn=True)
    assert (result.mated, result.nonmated, result.in_turn) == (3, 3, True)
    assert result.rules[0].mated == {SearchOutcome.RIGHT: 3}
    assert result.rules[0].strangers == {SearchOutcome.NOBODY: 3}  # a is 0.9 from b


def test_a_stranger_who_is_named_is_shown() -> None:
    result = evaluated(LINE, [at("x", 0.2, 0), at("y", 2, 2)])
    assert result.cmc == []
    assert result.rules[0].strangers == {SearchOutcome.WRONG: 1, SearchOutcome.NOBODY: 1}
    assert result.rules[0].false_positive is not None
    assert result.rules[0].false_positive.value == 0.5
    assert [confusion.taken_for for confusion in result.confusions] == ["a"]
    assert result.confusions[0].stranger
    assert all(found.rate is None and "nobody enrolled" in found.remark for found in result.tpir)


def test_leave_one_out_passes_over_the_photo_itself() -> None:
    samples = [at("a", 0, 0), at("a", 0.3, 0), at("b", 1, 0)]
    arranged = leave_one_out(samples, [], in_turn=False)
    searches = search(gallery_of(arranged.encodings), arranged.probes, left_out=arranged.left_out)
    np.testing.assert_allclose(searches.own, [0.3, 0.3, np.inf], atol=1e-6)
    assert searches.mated.tolist() == [True, True, False]
    assert not searches.stranger.any()  # b is enrolled with one photo: neither mated nor a stranger


def test_a_split_keeps_one_photo_to_search_with() -> None:
    samples = [at(person, place) for person in "abc" for place in range(2 if person != "c" else 1)]
    arranged = split(samples, [], 0.9, in_turn=False, seed=3)
    assert {person: len(group) for person, group in arranged.enrolled.items()} == {"a": 1, "b": 1, "c": 1}
    assert sorted(probe.person for probe in arranged.probes) == ["a", "b"]
    again = split(samples, [], 0.9, in_turn=False, seed=3)
    assert [probe.photo for probe in arranged.probes] == [probe.photo for probe in again.probes]


def test_strangers_are_whole_people() -> None:
    samples = [at(f"p{place % 10}", place) for place in range(40)]
    stay, held = hold_out(samples, 0.2, seed=1)
    assert len(held) == 8
    assert not {one.person for one in stay} & {one.person for one in held}


def test_a_copy_of_a_photo_is_left_out() -> None:
    first = Sample("a", "a/1.jpg", np.zeros(2, np.float32), sha256="aa")
    copy = Sample("b", "b/1.jpg", np.zeros(2, np.float32), sha256="aa")
    left_out: list[tuple[str, str]] = []
    assert without_repeats([first, copy], left_out) == [first]  # type: ignore[arg-type]
    assert left_out == [("b/1.jpg", "the same file as a/1.jpg")]


def test_decisions_are_those_of_the_service() -> None:
    draw = np.random.default_rng(5)
    gallery = Gallery.from_encodings(
        {f"p{place}": draw.normal(size=(2, 4)).astype(np.float32) for place in range(30)},
        model="planted",
        encoding_size=4,
    )
    probes = draw.normal(size=(500, 4)).astype(np.float32)
    settings = MatchingSettings(threshold=0.8, campus_threshold=0.8, margin=0.1).rules(Family.DLIB)
    matches = Matcher(gallery, settings).match(probes, frozenset(gallery.identities))
    rule = Rule(0.8, 0.1)
    named = [rule.name(found) for found in gallery.nearest(probes, count=2)]
    assert [name for name, _ in named] == [match.student for match in matches]
    assert [tied for _, tied in named] == [match.kind == "ambiguous" for match in matches]
    assert len({match.kind for match in matches}) == 3


def test_own_distance_among_others() -> None:
    others = [Candidate("b", 0.3), Candidate("c", 0.5)]
    assert [one.student for one in with_own(0.4, "a", others)] == ["b", "a", "c"]
    assert decide(RULE, "a", with_own(0.2, "a", others)) == (SearchOutcome.RIGHT, "a")
    assert decide(RULE, "a", with_own(0.28, "a", others)) == (SearchOutcome.TOO_CLOSE, None)
    assert decide(RULE, "a", []) == (SearchOutcome.NOBODY, None)


def test_intervals_hold_the_true_rate_about_as_often_as_they_should() -> None:
    """People differ (their rates are Beta(6, 2)), so that drawing photos in place of people would fall far short."""
    draw = np.random.default_rng(11)
    held = 0
    for trial in range(200):
        rates = draw.beta(6, 2, size=60)
        person = np.repeat(np.arange(60), 10)
        hits = draw.random(600) < rates[person]
        weights = draw_people(np.zeros(60, np.int64), replicates=300, seed=trial)
        rate = share(hits, person, weights)
        assert rate is not None
        held += rate.low <= 0.75 <= rate.high
    assert 0.89 <= held / 200 <= 0.99


def test_no_error_at_all_is_not_certainty() -> None:
    weights = draw_people(np.zeros(20, np.int64), replicates=50)
    person = np.repeat(np.arange(20), 5)
    right = share(np.ones(100, np.bool_), person, weights)
    wrong = share(np.zeros(100, np.bool_), person, weights)
    assert right is not None
    assert wrong is not None
    # Clopper and Pearson for 20 of 20.
    assert [right.low, right.high] == pytest.approx([0.8316, 1], abs=1e-4)
    assert [wrong.low, wrong.high] == pytest.approx([0, 0.1684], abs=1e-4)


@pytest.mark.parametrize(
    "most", [4_000, pytest.param(searching.MOST_COMPARISONS, marks=pytest.mark.exhaustive)], ids=["few", "as it is"]
)
def test_many_people_are_compared_in_part(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(searching, "MOST_COMPARISONS", most)
    draw, times = np.random.default_rng(2), round((most / 4_000) ** 0.5)
    people = {f"p{place}": draw.normal(size=(1, 3)).astype(np.float32) for place in range(150 * times)}
    probes = [at(f"p{place}", *draw.normal(size=3)) for place in range(100 * times)]
    searches = search(gallery_of(people), probes)
    assert 0.75 * most < len(searches.comparisons) <= most
    assert len(searches.comparison_people) == len(searches.comparisons)
