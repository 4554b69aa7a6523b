"""Databases that are lent: as new for each test, whatever the one before did."""

from collections.abc import Callable

import pymysql
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.engine import create_database_engine, downgrade, require_current_schema
from attendance.database.models import Student
from tests.factories import make_student
from tests.lending import Lender
from tests.mariadb import MariaDb

Use = Callable[[sa.Engine], None]


def adds_rows(engine: sa.Engine) -> None:
    with Session(engine) as db:
        make_student(db, "first")
        db.commit()


def adds_and_deletes_rows(engine: sa.Engine) -> None:
    adds_rows(engine)
    with engine.begin() as connection:
        connection.execute(sa.delete(Student))


def goes_back(engine: sa.Engine) -> None:
    downgrade(engine, "0021", lossy=True)


def adds_a_column(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE student ADD COLUMN later INT")


def adds_a_table(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE later (id INT)")


def adds_a_trigger(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TRIGGER later BEFORE DELETE ON student FOR EACH ROW SET @later = 1")


def drops_it(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {engine.url.database}")


ANEW = (goes_back, adds_a_column, adds_a_table, adds_a_trigger, drops_it)


@pytest.fixture(scope="module")
def lender(mariadb_server: MariaDb) -> Lender:
    """One of this module's own."""
    return Lender(mariadb_server)


@pytest.mark.parametrize("use", [adds_rows, adds_and_deletes_rows, *ANEW])
def test_the_next_gets_it_as_if_nobody_had_used_it(lender: Lender, mariadb_server: MariaDb, use: Use) -> None:
    with lender.lend() as name:
        engine = create_database_engine(mariadb_server.url(name))
        use(engine)
        engine.dispose()
    with lender.lend() as again:
        assert (again == name) is (use not in ANEW)
        engine = create_database_engine(mariadb_server.url(again))
        require_current_schema(engine)
        with Session(engine) as db:
            assert db.scalar(sa.select(sa.func.count()).select_from(Student)) == 0
            assert make_student(db, "next").id == 1, "numbers begin anew"
        engine.dispose()


def test_a_transaction_that_was_left_open_holds_nobody_up(lender: Lender, mariadb_server: MariaDb) -> None:
    with lender.lend() as name:
        engine = create_database_engine(mariadb_server.url(name))
        left = engine.connect()
        make_student(Session(left), "left")  # and neither committed nor rolled back
    with lender.lend() as again:
        assert again == name
        with pytest.raises(sa.exc.DBAPIError):
            left.execute(sa.select(Student.id))
        left.invalidate()
        left.close()
        with engine.connect() as connection:
            assert connection.execute(sa.select(Student.id)).all() == []
    engine.dispose()


def test_two_at_once_get_two(lender: Lender) -> None:
    with lender.lend() as one, lender.lend() as other:
        assert one != other


def test_what_was_lent_is_on_that_server(lender: Lender, mariadb_server: MariaDb) -> None:
    with lender.lend() as name, mariadb_server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW CREATE DATABASE {name}")
        assert "utf8mb4" in cursor.fetchall()[0][1]
        with pytest.raises(pymysql.err.OperationalError, match="Unknown database"):
            cursor.execute("USE nobody_has_this")
