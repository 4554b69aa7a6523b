from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from attendance.gallery.gallery import Candidate, Gallery, GalleryError

RANDOM = np.random.default_rng(11)


def campus(students: int, most: int, size: int = 128) -> dict[str, NDArray[np.float64]]:
    return {
        f"s{number}": RANDOM.normal(size=(RANDOM.integers(1, most + 1), size)).astype(np.float32)
        for number in range(students)
    }


def brute_force(
    people: dict[str, NDArray[np.float64]], probe: NDArray[np.float32], among: set[str] | None, count: int
) -> list[Candidate]:
    distances = [
        Candidate(student, float(np.linalg.norm(rows.astype(np.float64) - probe, axis=1).min()))
        for student, rows in people.items()
        if among is None or student in among
    ]
    return sorted(distances, key=lambda candidate: candidate.distance)[:count]


@pytest.mark.parametrize(("students", "most"), [(1, 1), (2, 1), (40, 1), (60, 25)])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_nearest_are_the_nearest(students: int, most: int, count: int) -> None:
    people = campus(students, most)
    gallery = Gallery.from_encodings(people, model="m", encoding_size=128)
    probes = RANDOM.normal(size=(30, 128)).astype(np.float32)
    names = list(people)
    for among in (None, set(names), set(names[::3]), {names[0]}, {names[0], "nobody"}, {"nobody"}, set()):
        found = gallery.nearest(probes, among=among, count=count)
        assert len(found) == len(probes)
        for probe, candidates in zip(probes, found, strict=True):
            expected = brute_force(people, probe, among, count)
            assert [candidate.student for candidate in candidates] == [candidate.student for candidate in expected]
            assert [candidate.distance for candidate in candidates] == pytest.approx(
                [candidate.distance for candidate in expected], abs=1e-9
            )


def test_one_student_with_many_encodings_does_not_crowd_out_the_next() -> None:
    crowd = np.zeros((500, 128), np.float32)
    crowd[:, 0] = np.linspace(0, 0.01, 500)
    far = np.full((1, 128), 0.1, np.float32)
    gallery = Gallery.from_encodings({"many": crowd, "far": far}, model="m", encoding_size=128)
    for among in (None, ["many", "far"], frozenset(("far", "many", "nobody"))):
        (candidates,) = gallery.nearest(np.zeros((1, 128), np.float32), among=among, count=2)
        assert [candidate.student for candidate in candidates] == ["many", "far"]
        assert candidates[0].distance == 0
        assert candidates[1].distance == pytest.approx(0.1 * 128**0.5, rel=1e-6)


def test_a_distance_does_not_depend_on_the_batch() -> None:
    """FAISS computes large batches by matrix products, in which small distances lose their digits."""
    people = {student: rows * 0.1 for student, rows in campus(300, 3).items()}
    gallery = Gallery.from_encodings(people, model="m", encoding_size=128)
    probes = np.concatenate([rows[:1] for rows in people.values()]).astype(np.float32)
    together = gallery.nearest(probes)
    for place, (name, candidates) in enumerate(zip(people, together, strict=True)):
        assert candidates[0] == Candidate(name, 0.0)
        assert gallery.nearest(probes[place : place + 1])[0] == candidates


def test_nobody_is_in_an_empty_gallery() -> None:
    gallery = Gallery.empty("m", 128)
    assert gallery.identities == ()
    assert gallery.encodings == 0
    assert gallery.nearest(np.zeros((2, 128), np.float32)) == [[], []]
    assert gallery.nearest(np.zeros((2, 128), np.float32), among={"a"}) == [[], []]


def test_no_probes_no_answers() -> None:
    gallery = Gallery.from_encodings(campus(3, 2), model="m", encoding_size=128)
    assert gallery.nearest(np.empty((0, 128), np.float32)) == []


def test_it_says_what_it_is() -> None:
    people = campus(4, 3)
    gallery = Gallery.from_encodings(people, model="m", encoding_size=128, version="v")
    assert gallery.identities == ("s0", "s1", "s2", "s3")
    assert gallery.encodings == sum(len(rows) for rows in people.values())
    assert gallery.labels == [(student, len(rows)) for student, rows in people.items()]
    assert (gallery.version, gallery.model, gallery.encoding_size) == ("v", "m", 128)
    assert gallery.loaded_at.tzinfo is not None


@pytest.mark.parametrize("shape", [(128,), (1, 127), (1, 1, 128)])
def test_probes_of_another_shape(shape: tuple[int, ...]) -> None:
    gallery = Gallery.empty("m", 128)
    with pytest.raises(ValueError, match="probes have shape"):
        gallery.nearest(np.zeros(shape, np.float32))


def test_probes_that_are_not_numbers() -> None:
    gallery = Gallery.from_encodings(campus(3, 2), model="m", encoding_size=128)
    with pytest.raises(ValueError, match="not finite"):
        gallery.nearest(np.full((1, 128), np.nan, np.float32))
    with pytest.raises(ValueError, match="count is 0"):
        gallery.nearest(np.zeros((1, 128), np.float32), count=0)


def test_parts_that_do_not_fit() -> None:
    rows = np.zeros((3, 4), np.float32)

    def build(students: list[str], counts: list[int], size: int = 4, rows: NDArray[np.float32] = rows) -> Gallery:
        return Gallery(version="v", model="m", encoding_size=size, students=students, counts=counts, rows=rows)

    assert build(["a", "b"], [1, 2]).encodings == 3
    for students, counts in ((["a"], [1, 2]), (["a", "a"], [1, 2]), (["a", "b"], [3, 0])):
        with pytest.raises(GalleryError, match="index v: its labels are damaged"):
            build(students, counts)
    with pytest.raises(GalleryError, match="index v: 2 labels for 3 encodings"):
        build(["a", "b"], [1, 1])
    with pytest.raises(GalleryError, match="its encodings have 4 numbers, not 128"):
        build(["a", "b"], [1, 2], size=128)
    bad: tuple[Any, ...] = (np.zeros((3, 4)), np.zeros(12, np.float32), np.zeros((3, 8), np.float32)[:, ::2])
    for wrong in bad:
        with pytest.raises(GalleryError, match="not rows of float32"):
            build(["a"], [3], rows=wrong)
    for number in (np.inf, np.nan, 1e200):
        with pytest.raises(GalleryError, match="not finite"):
            Gallery.from_encodings({"a": np.full((1, 4), number)}, model="m", encoding_size=4)
    with pytest.raises(GalleryError, match="encodings of 'a' are not of shape"):
        Gallery.from_encodings({"a": np.zeros(4)}, model="m", encoding_size=4)


def test_threads_search_at_once() -> None:
    people = campus(200, 4)
    gallery = Gallery.from_encodings(people, model="m", encoding_size=128)
    probes = RANDOM.normal(size=(50, 128)).astype(np.float32)
    rosters = [None, *({f"s{number}" for number in range(start, 200, 7)} for start in range(7))]
    expected = [gallery.nearest(probes, among=roster) for roster in rosters]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            found = pool.map(lambda roster: gallery.nearest(probes, among=roster), rosters)
            assert list(found) == expected
