"""Engines of tests share what SQLAlchemy makes of statements."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import CacheStats

from attendance.database.engine import create_database_engine
from attendance.database.models import Student
from tests.databases import make_tables
from tests.factories import make_student


def test_a_statement_is_compiled_for_one_database_and_asked_of_every() -> None:
    asked = sa.select(sa.literal("of this test alone").label("one"), sa.func.abs(sa.bindparam("number")))
    hits = []
    for number in (-1, -2):
        engine = sa.create_engine("sqlite://")
        with engine.connect() as connection:
            answer = connection.execute(asked, {"number": number})
            hits.append(answer.context.cache_hit)
            assert answer.one() == ("of this test alone", -number)
        engine.dispose()
    assert hits[1] is CacheStats.CACHE_HIT


def test_each_database_has_its_own_rows(tmp_path: Path) -> None:
    for name in ("one", "two"):
        engine = create_database_engine(f"sqlite:///{tmp_path / name}.db")
        make_tables(engine)
        with sa.orm.Session(engine) as db:
            make_student(db, name)
            db.commit()
            assert db.scalars(sa.select(Student.index_number)).all() == [name]
        engine.dispose()


def test_databases_of_two_kinds_share_nothing() -> None:
    one, other = (sa.create_engine(url).dialect for url in ("sqlite://", "mysql+pymysql://u@127.0.0.1/n"))
    assert one == sa.create_engine("sqlite://").dialect
    assert one != other
    other.server_version_info = (10, 11)
    assert other != sa.create_engine("mysql+pymysql://u@127.0.0.1/n").dialect
