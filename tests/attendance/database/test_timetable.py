"""What the recognition service reads of the timetable."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.models import ClassSession
from attendance.database.timetable import room_plans
from tests.factories import NINE, enrol, make_course, make_room, make_session, make_student


def test_plans_of_the_room_by_start_with_their_rosters(db: Session) -> None:
    room, other = make_room(db), make_room(db)
    first, second, empty = make_course(db), make_course(db), make_course(db)
    enrol(db, first, make_student(db, "s1"), make_student(db, "s2"))
    enrol(db, second, make_student(db, "s3"))
    later = make_session(db, second, room, starts_at=NINE + timedelta(hours=2))
    early = make_session(db, first, room)
    make_session(db, first, other)
    make_session(db, empty, room, starts_at=NINE + timedelta(hours=4))
    plans = room_plans(db, [room.id], NINE, NINE + timedelta(hours=8))[room.id]
    assert [plan.session_id for plan in plans[:2]] == [early.id, later.id]
    assert [plan.roster for plan in plans] == [frozenset({"s1", "s2"}), frozenset({"s3"}), frozenset()]
    assert plans[0].opens_at == NINE - timedelta(minutes=10)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [(-30, -11, 0), (-30, -10, 1), (0, 0, 1), (89, 200, 1), (90, 200, 0)],
)
def test_a_session_counts_from_its_early_window_to_its_end(db: Session, since: int, until: int, found: int) -> None:
    room = make_room(db)
    make_session(db, make_course(db), room)
    plans = room_plans(db, [room.id], NINE + timedelta(minutes=since), NINE + timedelta(minutes=until))[room.id]
    assert len(plans) == found


def test_times_keep_their_microseconds_and_must_have_a_zone(db: Session) -> None:
    exact = NINE + timedelta(microseconds=123_457)
    make_session(db, make_course(db), starts_at=exact)
    db.commit()
    db.expire_all()
    assert db.scalars(sa.select(ClassSession.starts_at)).one() == exact
    with pytest.raises(sa.exc.StatementError, match="no time zone"):
        db.scalars(sa.select(ClassSession).where(ClassSession.starts_at > datetime(2026, 1, 1))).all()
