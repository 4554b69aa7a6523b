"""The schema is the same on both databases as in the models, and addresses are refused by name."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.orm import Session

from database.engine import (
    DatabaseError,
    create_database_engine,
    current_revision,
    downgrade,
    newest_revision,
    require_current_schema,
    upgrade,
)
from database.models import Base, Student


def test_migrations_make_the_tables_of_the_models(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_and_up_again(engine: sa.Engine) -> None:
    downgrade(engine, "base")
    assert set(sa.inspect(engine).get_table_names()) <= {"alembic_version"}
    upgrade(engine)
    require_current_schema(engine)


def test_upgrade_of_a_current_database_keeps_its_rows(db: Session, engine: sa.Engine) -> None:
    db.add(Student(index_number="1", name="Zoë Łuczak 学生"))
    db.commit()
    upgrade(engine)
    assert current_revision(engine) == newest_revision()
    assert db.scalars(sa.select(Student.name)).all() == ["Zoë Łuczak 学生"]


def test_index_numbers_are_told_apart_byte_by_byte(db: Session) -> None:
    db.add_all([Student(index_number=number, name="x") for number in ("ab1", "AB1", "é1", "e1")])
    db.commit()
    assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == 4


def test_a_database_without_tables_says_what_to_do(database_url: str) -> None:
    with pytest.raises(DatabaseError, match="attendance db upgrade"):
        require_current_schema(create_database_engine(database_url))


def test_an_older_schema_says_what_to_do(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(DatabaseError, match=r"0000.*attendance db upgrade"):
        require_current_schema(engine)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://u:secret@h/d", r"postgresql://; use sqlite:/// or mysql\+pymysql://"),
        ("no address", "no database address"),
    ],
)
def test_a_wrong_address_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(DatabaseError, match=says) as caught:
        create_database_engine(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_away_is_named_without_its_password() -> None:
    engine = create_database_engine("mysql+pymysql://someone:secret@127.0.0.1:9/attendance")
    with pytest.raises(DatabaseError, match=r"127\.0\.0\.1:9") as caught:
        require_current_schema(engine)
    assert "secret" not in str(caught.value)
