"""Links to a student's own page: for once, for a while, for one student."""

from datetime import timedelta

import sqlalchemy as sa

from attendance.database.access.student_links import (
    end_own_page_sign_ins,
    make_student_link,
    student_called,
    student_of_link,
    use_student_link,
)
from attendance.database.models import Student, StudentLink
from tests.factories import NINE, is_signed_in, make_sign_in, make_student

HALF_HOUR = timedelta(minutes=30)


def link(db, student):
    return make_student_link(db, student.id, now=NINE, lifetime=HALF_HOUR)


def test_a_link_works_once_and_takes_the_others_along(db):
    ann, bob = make_student(db), make_student(db)
    first, second, other = link(db, ann), link(db, ann), link(db, bob)
    assert len({first, second, other}) == 3
    assert student_of_link(db, first, now=NINE) is ann  # looking at it uses nothing
    assert use_student_link(db, first, now=NINE) is ann
    assert use_student_link(db, first, now=NINE) is None
    assert use_student_link(db, second, now=NINE) is None
    assert use_student_link(db, other, now=NINE) is bob
    assert db.scalars(sa.select(StudentLink)).all() == []


def test_a_link_ends_by_itself_and_with_the_address(db):
    ann = make_student(db)
    token, signed_in = link(db, ann), make_sign_in(db, ann)
    assert student_of_link(db, token, now=NINE + HALF_HOUR - timedelta(seconds=1)) is ann
    assert student_of_link(db, token, now=NINE + HALF_HOUR) is None
    end_own_page_sign_ins(db, [ann.id])
    assert (is_signed_in(db, signed_in), student_of_link(db, token, now=NINE)) == (False, None)


def test_only_so_many_links_are_kept_and_none_in_clear(db):
    ann, bob = make_student(db), make_student(db)
    others = link(db, bob)
    tokens = [link(db, ann) for _ in range(14)]
    working = [token for token in tokens if student_of_link(db, token, now=NINE)]
    assert working == tokens[4:]
    assert student_of_link(db, others, now=NINE) is bob
    kept = " ".join(db.scalars(sa.select(StudentLink.token_hash)))
    assert not any(token in kept or token.removeprefix("me_") in kept for token in tokens)


def test_a_student_is_found_by_number_or_address_and_the_number_comes_first(db):
    db.add_all(
        [
            Student(index_number="s1", name="A", email="one@example.edu"),
            Student(index_number="one@example.edu", name="B"),
            Student(index_number="s3", name="C", email="three@example.edu"),
        ]
    )
    db.flush()
    found = {
        typed: getattr(student_called(db, typed), "name", None)
        for typed in ("s1", " s1 ", "S1", "one@example.edu", "THREE@example.edu ", "", "x" * 500, "nobody")
    }
    assert found == {
        "s1": "A", " s1 ": "A", "S1": None, "one@example.edu": "B", "THREE@example.edu ": "C",
        "": None, "x" * 500: None, "nobody": None,
    }  # fmt: skip
