"""Roles: never twice, as far as they reach, and both ways between the versions."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from attendance.database.access.roles import EVERYWHERE, Reach, give_role, is_taught, take_role
from attendance.database.engine import begin_writing, downgrade, losses_of_downgrade, upgrade
from attendance.database.models import Account, AccountRole, Course, Role
from tests.factories import NINE, make_course, make_department, make_lecturer


@pytest.fixture
def ids(sessions):
    """Of somebody without a role, a department and a course."""
    with sessions.begin() as db:
        return make_lecturer(db).id, make_department(db).id, make_course(db).id


def held(db, account_id):
    query = sa.select(AccountRole.role, AccountRole.department_id, AccountRole.course_id)
    return {tuple(row) for row in db.execute(query.where(AccountRole.account_id == account_id))}


def test_giving_a_role_twice_changes_nothing_and_taking_it_leaves_the_others(sessions, ids):
    account, department, course = ids
    everything = [
        (Role.ADMIN, EVERYWHERE),
        (Role.DEPARTMENT, Reach(department_id=department)),
        (Role.LECTURER, Reach(course_id=course)),
    ]
    for expected in (True, False):
        for role, reach in everything:
            with sessions.begin() as db:
                begin_writing(db)
                assert give_role(db, account, role, reach) is expected
    with sessions.begin() as db:
        begin_writing(db)
        assert held(db, account) == {
            (Role.ADMIN, None, None),
            (Role.DEPARTMENT, department, None),
            (Role.LECTURER, None, course),
        }
        assert take_role(db, account) is True
        assert take_role(db, account) is False
        assert take_role(db, account, Reach(department_id=department)) is True
        assert held(db, account) == {(Role.LECTURER, None, course)}


def test_in_one_course_somebody_is_lecturer_or_assistant(sessions, ids):
    account, _, course = ids
    for role in (Role.ASSISTANT, Role.LECTURER, Role.ASSISTANT):
        with sessions.begin() as db:
            begin_writing(db)
            assert give_role(db, account, role, Reach(course_id=course)) is True
            assert held(db, account) == {(role, None, course)}


@pytest.mark.parametrize("reach", ["everywhere", "department_id", "course_id"])
def test_no_database_keeps_a_role_twice(sessions, ids, reach):
    """Whatever it thinks of empty fields."""
    account, department, course = ids
    role, value = {
        "everywhere": (Role.ADMIN, True),
        "department_id": (Role.DEPARTMENT, department),
        "course_id": (Role.LECTURER, course),
    }[reach]
    with sessions.begin() as db:
        db.add(AccountRole(account_id=account, role=role, **{reach: value}))
    with pytest.raises(IntegrityError), sessions.begin() as db:
        db.add(AccountRole(account_id=account, role=role, **{reach: value}))
    with sessions() as db:
        assert len(held(db, account)) == 1


@pytest.mark.parametrize(
    ("role", "places"),
    [
        (Role.ADMIN, ()),
        (Role.ADMIN, ("department_id",)),
        (Role.ADMIN, ("everywhere", "course_id")),
        (Role.DEPARTMENT, ()),
        (Role.DEPARTMENT, ("everywhere",)),
        (Role.DEPARTMENT, ("course_id",)),
        (Role.LECTURER, ()),
        (Role.LECTURER, ("department_id",)),
        (Role.ASSISTANT, ("everywhere",)),
        (Role.ASSISTANT, ("department_id", "course_id")),
    ],
)
def test_a_role_reaches_no_further_than_it_means(sessions, ids, role, places):
    account, department, course = ids
    values = {"everywhere": True, "department_id": department, "course_id": course}
    with pytest.raises(sa.exc.DBAPIError), sessions.begin() as db:
        db.add(AccountRole(account_id=account, role=role, **{place: values[place] for place in places}))
    with sessions() as db:
        assert held(db, account) == set()


def test_a_course_is_taught_by_a_lecturer_who_may_sign_in(sessions):
    with sessions.begin() as db:
        course = make_course(db)
        make_lecturer(db, role=Role.ASSISTANT, of=course)
        left = make_lecturer(db, role=Role.LECTURER, of=course, active=False)
        assert db.scalar(sa.select(is_taught()).select_from(Course)) is False
        left.active = True
        db.flush()
        assert db.scalar(sa.select(is_taught()).select_from(Course)) is True
        assert course.lecturers == [left], "neither assistants nor heads"


def test_roles_go_with_their_account_course_and_department(sessions):
    with sessions.begin() as db:
        course, department, ada = make_course(db), make_department(db), make_lecturer(db)
        for number, reach in enumerate((Reach(course_id=course.id), Reach(department_id=department.id))):
            give_role(db, ada.id, (Role.LECTURER, Role.DEPARTMENT)[number], reach)
        make_lecturer(db, role=Role.ADMIN)
    with sessions.begin() as db:
        db.execute(sa.delete(Course))
        db.execute(sa.text("DELETE FROM department"))
        assert db.scalars(sa.select(AccountRole.role)).all() == [Role.ADMIN]
        db.execute(sa.delete(Account))
        assert db.scalars(sa.select(AccountRole.role)).all() == []


def test_the_former_version_keeps_administrators_and_who_teaches_what(engine, db):
    """And says first what it has no place for."""
    course, department = make_course(db, "CS101"), make_department(db)
    boss = make_lecturer(db, email="boss@example.edu", role=Role.ADMIN)
    teacher = make_lecturer(db, email="teacher@example.edu", role=Role.LECTURER, of=course)
    make_lecturer(db, email="assistant@example.edu", role=Role.ASSISTANT, of=course)
    make_lecturer(db, email="head@example.edu", role=Role.DEPARTMENT, of=department)
    teacher.last_sign_in_at = NINE
    give_role(db, boss.id, Role.LECTURER, Reach(course_id=course.id))
    db.commit()
    assert losses_of_downgrade(engine, "0010") == [
        "1 heads of departments, who see none of its courses then",
        "1 assistants of courses, who see none of them then",
        "1 dates of a last sign-in",
    ]
    kept = {(Role.ADMIN, None, None, boss.id), (Role.LECTURER, None, course.id, boss.id)}
    kept.add((Role.LECTURER, None, course.id, teacher.id))
    db.close()
    downgrade(engine, "0010", lossy=True)
    with engine.connect() as connection:
        roles = dict(connection.execute(sa.text("SELECT email, role FROM account")).all())
        taught = (
            connection.execute(sa.text("SELECT account_id FROM course_lecturer ORDER BY account_id")).scalars().all()
        )
    assert roles.pop("boss@example.edu") == "admin"
    assert set(roles.values()) == {"lecturer"}
    assert taught == sorted([boss.id, teacher.id])
    upgrade(engine)
    query = sa.select(AccountRole.role, AccountRole.department_id, AccountRole.course_id, AccountRole.account_id)
    assert {tuple(row) for row in db.execute(query)} == kept
