"""Ordering and searching names, on SQLite and on MariaDB."""

import pytest
import sqlalchemy as sa

from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Student
from tests.factories import make_student
from webapp.tools.names import by_student_name, contains_text, family_name, name_key, teach_sqlite


@pytest.fixture
def taught_db(engine, database_url):
    taught = create_database_engine(database_url)
    teach_sqlite(taught)
    with session_factory(taught)() as session:
        yield session
    taught.dispose()


def found(db, column, text):
    return list(db.scalars(sa.select(Student.index_number).where(contains_text(column, text)).order_by(Student.id)))


def test_names_are_ordered_as_people_read_them(taught_db):
    names = ["Zoe", "adam", "Émile", "Adam", "Frank", "Đorđe", "Łukasz", "Maria", "Dan"]
    for name in names:
        make_student(taught_db, name=name)
    ordered = list(taught_db.scalars(sa.select(Student.name).order_by(*by_student_name(taught_db))))
    keys = [name_key(name) for name in ordered]
    assert keys == sorted(keys)
    assert sorted(ordered.index(name) for name in ("adam", "Adam")) == [0, 1]
    assert ordered.index("Émile") < ordered.index("Frank") < ordered.index("Zoe")


def test_the_order_of_namesakes_is_always_the_same(taught_db):
    for number in ("b2", "a1", "c3"):
        make_student(taught_db, number, name="Jan Nowak")
    query = sa.select(Student.index_number).order_by(*by_student_name(taught_db))
    assert list(taught_db.scalars(query)) == ["a1", "b2", "c3"]


def test_what_is_typed_is_found_whatever_its_capitals(taught_db):
    make_student(taught_db, "s1", name="Łukasz Żak")
    make_student(taught_db, "s2", name="Олена Шевченко")
    make_student(taught_db, "S3", name="O'Connor")
    assert found(taught_db, Student.name, "łUKASZ") == ["s1"]
    assert found(taught_db, Student.name, "lukasz zak") == ["s1"]
    assert found(taught_db, Student.name, "шевч") == ["s2"]
    assert found(taught_db, Student.name, "o'c") == ["S3"]
    assert found(taught_db, Student.index_number, "s") == ["s1", "s2", "S3"]
    assert found(taught_db, Student.name, "nobody") == []


def test_signs_of_a_pattern_mean_themselves(taught_db):
    make_student(taught_db, "100%", name="A_B")
    make_student(taught_db, "1000", name="AxB")
    make_student(taught_db, "1/2", name="A\\B")
    assert found(taught_db, Student.index_number, "0%") == ["100%"]
    assert found(taught_db, Student.name, "a_b") == ["100%"]
    assert found(taught_db, Student.index_number, "/") == ["1/2"]
    assert found(taught_db, Student.name, "\\") == ["1/2"]


@pytest.mark.parametrize(
    ("name", "key"), [("Łukasz Żak", "lukasz zak"), ("Weiß", "weiss"), ("Ağaoğlu", "agaoglu"), ("Ørsted", "orsted")]
)
def test_a_key_is_what_one_types_without_the_right_keyboard(name, key):
    assert name_key(name) == key


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Ada Byron", "Byron"),
        ("García Márquez, Gabriel", "García Márquez"),
        ("van der Berg, Jan", "van der Berg"),
        ("Teller", "Teller"),
        (", Ada", "Ada"),
        ("", ""),
    ],
)
def test_a_family_name_stands_before_a_comma_or_last(name, family):
    assert family_name(name) == family
