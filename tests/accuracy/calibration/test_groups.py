"""Effects of groups: found where they were planted, not found where there are none."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy.orm import Session, sessionmaker

from accuracy.calibration.groups import UNSTATED, GroupError, GroupReport, compare_groups, read_groups
from tests.factories import make_student

SIZE = 16


def gallery(
    spreads: dict[str, tuple[float, float]], people: int = 120, seed: int = 0
) -> dict[str, NDArray[np.float64]]:
    """Two photos of each person; for each group how far apart people are, and photos of one."""
    draw = np.random.default_rng(seed)
    return {
        f"{group}-{number}": draw.normal(draw.normal(0, between, SIZE), within, (2, SIZE))
        for group, (between, within) in spreads.items()
        for number in range(people)
    }


def report(encodings: dict[str, NDArray[np.float64]], threshold: float = 0.5) -> GroupReport:
    groups = {person: person.rsplit("-", 1)[0] for person in encodings}
    return compare_groups(encodings, groups, column="declared_group", threshold=threshold, budget=10_000_000)


def flags(found: GroupReport) -> dict[str, list[str]]:
    return {
        group.group: [remark for remark in group.remarks if remark.startswith("more often")]
        for groups in found.groups.values()
        for group in groups
        if group.flagged
    }


def test_a_group_whose_people_are_alike_is_falsely_matched_more_often() -> None:
    found = flags(report(gallery({"a": (0.2, 0.05), "b": (0.2, 0.05), "c": (0.1, 0.05)})))
    assert found == {"c": ["more often falsely matched than a, b"]}


def test_a_group_whose_photos_differ_is_missed_more_often() -> None:
    found = flags(report(gallery({"a": (0.2, 0.05), "b": (0.2, 0.12)}), threshold=0.4))
    # Photos that differ also lie farther from other people: at a larger threshold a is matched falsely more often.
    assert found["b"] == ["more often missed than a"]


def test_equal_groups_are_not_flagged() -> None:
    flagged = [seed for seed in range(20) if flags(report(gallery(dict.fromkeys("abc", (0.15, 0.06)), 60, seed)))]
    assert len(flagged) <= 1


def test_where_the_chosen_threshold_shows_nothing_a_larger_one_does() -> None:
    found = report(gallery({"a": (0.2, 0.02), "b": (0.1, 0.02)}), threshold=0.1)
    assert len(found.groups) == 2
    (first, second) = found.groups.values()
    assert [group.false_match.rate for group in first] == [0, 0]
    assert [group.flagged for group in second] == [False, True]


def test_small_groups_are_not_shown_and_middling_ones_say_little() -> None:
    encodings = gallery({"a": (0.2, 0.05)}, 40) | gallery({"b": (0.2, 0.05)}, 9) | gallery({"c": (0.2, 0.05)}, 12)
    found = report(encodings)
    (rates, *_) = found.groups.values()
    assert [(group.group, group.people) for group in rates] == [("a", 40), ("c", 12)]
    assert found.hidden == 1
    assert "too few people to tell" in rates[1].remarks[0]
    assert rates[0].remarks == ()


def test_groups_without_two_photos_have_no_misses_to_compare() -> None:
    encodings = {person: rows[:1] for person, rows in gallery({"a": (0.2, 0.05), "b": (0.2, 0.05)}, 40).items()}
    (rates, *_) = report(encodings).groups.values()
    assert all(np.isnan(group.false_non_match.rate) for group in rates)
    assert all("nothing is known of misses" in group.remarks[0] for group in rates)


def test_nobody_large_enough_is_an_empty_report() -> None:
    found = report(gallery({"a": (0.2, 0.05)}, 3))
    assert list(found.groups.values()) == [[]]


def test_groups_are_read_from_any_column(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as db:
        make_student(db, "1001").declared_group = "x"
        make_student(db, "1002").consent_means = "signed form"
    with sessions() as db:
        assert read_groups(db, "declared_group") == {"1001": "x", "1002": UNSTATED}
        assert read_groups(db, "consent_means") == {"1001": UNSTATED, "1002": "signed form"}
        with pytest.raises(GroupError, match=r"no column 'shoe_size'; it has .*declared_group, .*gallery_encodings"):
            read_groups(db, "shoe_size")
        # An attribute of the class that is no column.
        with pytest.raises(GroupError, match="no column 'metadata'"):
            read_groups(db, "metadata")
