"""Tokens of programs, on SQLite and MariaDB: counting their uses, and what they rest on."""

import threading
from datetime import timedelta

import sqlalchemy as sa

from attendance.database.access.access_tokens import (
    NewToken,
    access_token_of,
    count_use,
    end_access_tokens,
    make_access_token,
)
from attendance.database.access.kept_answers import Fate, KeyedRequest, begin_answer, forget_request, keep_answer
from attendance.database.models import AccessToken, KeptAnswer, Role
from tests.factories import NINE, make_course, make_department, make_lecturer, make_student

DAY = timedelta(days=1)


def make(db, account, courses=None):
    row, token = make_access_token(db, account, NewToken("Script", ("read",), courses, DAY), now=NINE)
    db.commit()
    return row, token


def test_uses_are_counted_whoever_asks_at_once(engine, sessions):
    with sessions() as db:
        row, _token = make(db, make_lecturer(db))
    allowed, start = [], threading.Barrier(8)

    def use():
        start.wait()
        for _ in range(5):
            allowed.append(count_use(engine, row, limit=20, address="192.0.2.7", now=NINE).allowed)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with sessions() as db:
        found = db.get_one(AccessToken, row.id)
        # Whoever could not count, because others wrote, was not kept waiting.
        assert found.used == 20 or allowed.count(True) == 40
        assert found.last_used_at == NINE
        assert found.last_address == "192.0.2.7"
    later = count_use(engine, found, limit=20, address="", now=NINE + timedelta(seconds=61))
    assert (later.allowed, later.left, later.reset_s) == (True, 19, 59)


def test_one_after_the_other_the_limit_holds(engine, sessions):
    with sessions() as db:
        row, _token = make(db, make_lecturer(db))
        uses = []
        for _ in range(4):
            db.refresh(row)
            db.commit()
            uses.append(count_use(engine, row, limit=3, address="", now=NINE))
    assert [(use.allowed, use.left) for use in uses] == [(True, 2), (True, 1), (True, 0), (False, 0)]


def test_a_token_rests_on_roles(sessions):
    with sessions() as db:
        department = make_department(db)
        course = make_course(db, department=department)
        head = make_lecturer(db, role=Role.DEPARTMENT, of=department)
        row, token = make(db, head, [course])
        assert row.rests_on == [f"department {department.id}"]
        assert access_token_of(db, token, NINE) is row
        assert access_token_of(db, token, NINE + DAY) is None
        assert access_token_of(db, token + "x", NINE) is None
        db.delete(head.roles[0])
        db.commit()
        db.expire_all()
        assert access_token_of(db, token, NINE) is None
        end_access_tokens(db, sa.true())
        db.commit()
        assert db.scalar(sa.select(sa.func.count()).select_from(AccessToken)) == 0


def test_answers_are_kept_for_a_day(sessions):
    with sessions() as db:
        row, _token = make(db, make_lecturer(db))
        asked = KeyedRequest(row.id, "key", "a" * 64)
        assert begin_answer(db, asked, now=NINE).fate is Fate.BEGUN
        keep_answer(db, asked, status=201, headers={"ETag": '"é"'}, body=b"\x00\xff")
        kept = begin_answer(db, asked, now=NINE + timedelta(hours=23))
        assert (kept.fate, kept.status, kept.headers, kept.body) == (
            Fate.ANSWERED, 201, {"ETag": '"é"'}, b"\x00\xff",
        )  # fmt: skip
        other = KeyedRequest(row.id, "key", "b" * 64)
        assert begin_answer(db, other, now=NINE).fate is Fate.ANOTHER
        assert begin_answer(db, other, now=NINE + DAY).fate is Fate.BEGUN
        assert begin_answer(db, KeyedRequest(row.id, "KEY", "b" * 64), now=NINE + DAY).fate is Fate.BEGUN
        end_access_tokens(db, sa.true())
        db.commit()
        assert db.scalar(sa.select(sa.func.count()).select_from(KeptAnswer)) == 0


def test_what_names_a_deleted_student_is_kept_in_nobodys_place(sessions):
    with sessions() as db:
        row, _token = make(db, make_lecturer(db))
        student = make_student(db)
        db.commit()
        of_student = KeyedRequest(row.id, "first", "a" * 64, student.id)
        begin_answer(db, of_student, now=NINE)
        db.delete(student)  # while it is answered
        db.commit()
        other = KeyedRequest(row.id, "second", "b" * 64)
        begin_answer(db, other, now=NINE)
        keep_answer(db, of_student, status=200, headers={}, body=b"the student")
        assert begin_answer(db, other, now=NINE).fate is Fate.IN_PROGRESS
        forget_request(db, of_student)
        assert begin_answer(db, other, now=NINE).fate is Fate.IN_PROGRESS
