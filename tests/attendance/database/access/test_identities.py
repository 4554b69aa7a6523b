"""People of a provider, bound to accounts and students; on SQLite and on MariaDB."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.access.identities import (
    Subject,
    bind,
    bound_to,
    identities_of,
    identity_of,
    release,
    sign_ins_through,
    spend,
)
from attendance.database.access.passwords import NO_PASSWORD
from attendance.database.access.provider_roles import follow_provider, places_of
from attendance.database.access.roles import EVERYWHERE, Reach, give_role
from attendance.database.access.sign_ins import ThroughProvider, begin_sign_in, end_sign_ins, sign_in_of
from attendance.database.audit.noting import by_program
from attendance.database.engine import begin_writing, downgrade, losses_of_downgrade, upgrade
from attendance.database.models import (
    AccessToken,
    Account,
    AccountRole,
    CalendarFeed,
    ExternalIdentity,
    ExternalKind,
    FeedKind,
    IdentityKind,
    ProviderIdentity,
    Role,
    SignIn,
    SpentAnswer,
)
from tests.factories import NINE, make_course, make_department, make_lecturer, make_student

ADA = Subject("https://login.example.edu", "ada")
HOUR = timedelta(hours=1)


def enter(db, person, whom=ADA, *, session=None):
    db.commit()
    begin_writing(db)
    identity = bind(db, whom, person, now=NINE, keep_password=True)
    through = ThroughProvider(identity, session=session, id_token="e30.e30.")
    token = begin_sign_in(db, person, now=NINE, lifetime=HOUR, through=through)
    db.commit()
    return token


def test_a_person_there_is_one_here(db):
    ada, other = make_lecturer(db), make_lecturer(db)
    db.commit()
    enter(db, ada)
    assert identity_of(db, ADA, IdentityKind.ACCOUNT).account_id == ada.id
    assert identity_of(db, ADA, IdentityKind.STUDENT) is None
    assert identity_of(db, Subject(ADA.issuer, "ADA"), IdentityKind.ACCOUNT) is None  # subjects are told apart exactly
    assert bound_to(db, ADA.issuer, ada).subject == "ada"
    assert bound_to(db, "https://another.example", ada) is None
    db.commit()
    begin_writing(db)
    with pytest.raises(IntegrityError):
        bind(db, ADA, other, now=NINE, keep_password=True)
    db.rollback()
    with pytest.raises(IntegrityError):
        bind(db, Subject(ADA.issuer, "another"), ada, now=NINE, keep_password=True)
    db.rollback()


def test_the_password_ends_unless_it_is_kept(db):
    ada = make_lecturer(db)
    db.commit()
    begin_writing(db)
    bind(db, ADA, ada, now=NINE, keep_password=False)
    db.commit()
    assert ada.password_hash == NO_PASSWORD


@pytest.mark.parametrize("kept", [False, True])
def test_whoever_had_the_account_before_does_not_go_on_beside_its_owner(db, kept):
    ada, grace = make_lecturer(db), make_lecturer(db)
    make_course(db, "MAT101", lecturers=(ada, grace))
    db.commit()
    begin_writing(db)
    new = NewToken("Script", ["read"], None, HOUR)
    for account in (ada, grace):
        account.password_hash = NO_PASSWORD  # came in by a learning platform
        begin_sign_in(db, account, now=NINE, lifetime=HOUR)
        make_access_token(db, account, new, now=NINE)
        db.add(CalendarFeed(kind=FeedKind.LECTURER, account_id=account.id, token_hash=str(account.id)))
        for system in ("lti:1", "oneroster:sis"):
            named = {"external_id": str(account.id), "account_id": account.id}
            db.add(ExternalIdentity(system=system, kind=ExternalKind.ACCOUNT, **named))
    bind(db, ADA, ada, now=NINE, keep_password=kept)
    db.commit()
    left = {ada.id, grace.id} if kept else {grace.id}
    for model in (SignIn, AccessToken, CalendarFeed):
        assert set(db.scalars(sa.select(model.account_id))) == left
    whose = sa.select(ExternalIdentity.account_id)
    assert set(db.scalars(whose.where(ExternalIdentity.system == "lti:1"))) == left
    assert set(db.scalars(whose.where(ExternalIdentity.system == "oneroster:sis"))) == {ada.id, grace.id}


def test_a_release_ends_the_sign_ins_that_were_made_so_and_no_other(db):
    ada = make_lecturer(db)
    db.commit()
    token = enter(db, ada)
    with_password = begin_sign_in(db, ada, now=NINE, lifetime=HOUR)
    db.commit()
    begin_writing(db)
    assert release(db, ProviderIdentity.account_id == ada.id) == 1
    db.commit()
    assert sign_in_of(db, token) is None
    assert sign_in_of(db, with_password) is not None
    assert identities_of(db, ada) == []


def test_it_goes_with_the_person(db):
    ada, alan = make_lecturer(db), make_student(db)
    db.commit()
    enter(db, ada)
    enter(db, alan)
    db.execute(sa.delete(Account).where(Account.id == ada.id))
    db.commit()
    assert db.scalars(sa.select(ProviderIdentity.kind)).all() == [IdentityKind.STUDENT]


def test_a_row_is_of_its_kind_alone(db):
    ada, alan = make_lecturer(db), make_student(db)
    db.commit()
    for account, student in ((ada.id, alan.id), (None, None), (None, alan.id)):
        row = ProviderIdentity(kind=IdentityKind.ACCOUNT, issuer="i", subject="s", account_id=account)
        row.student_id = student
        db.add(row)
        with pytest.raises(sa.exc.DBAPIError):
            db.commit()
        db.rollback()


def test_whose_sign_ins_a_logout_ends(db):
    ada, alan = make_lecturer(db), make_student(db)
    db.commit()
    enter(db, ada, session="one")
    enter(db, alan, session="two")

    def found(*arguments):
        return db.scalar(sa.select(sa.func.count()).select_from(SignIn).where(sign_ins_through(*arguments)))

    assert found(ADA, ADA.issuer, None) == 2
    assert found(ADA, ADA.issuer, "one") == 1
    assert found(None, ADA.issuer, "two") == 1
    assert found(None, "https://another.example", "two") == 0
    assert found(Subject(ADA.issuer, "bob"), ADA.issuer, None) == 0
    assert end_sign_ins(db, sign_ins_through(ADA, ADA.issuer, "one")) == 1


def test_an_answer_is_spent_once_and_forgotten_when_it_is_too_old(db):
    def use(name, now):
        begin_writing(db)
        used = spend(db, "issuer", name, now=now, expires_at=now + HOUR)
        db.commit()
        return used

    assert use("a", NINE)
    assert not use("a", NINE)
    assert use("b", NINE)
    assert use("c", NINE + 2 * HOUR)
    assert db.scalar(sa.select(sa.func.count()).select_from(SpentAnswer)) == 1


def test_roles_by_rules_beside_those_by_hand(db):
    ada, department = make_lecturer(db), make_department(db, "Mathematics")
    one, two = make_course(db, "ONE"), make_course(db, "TWO")
    db.commit()
    begin_writing(db)
    give_role(db, ada.id, Role.ASSISTANT, Reach(course_id=one.id))
    db.commit()

    def follow(*wanted):
        db.commit()
        begin_writing(db)
        db.refresh(ada)
        changed = follow_provider(db, ada, places_of(db, wanted), actor=by_program("sign-in provider"))
        db.commit()
        rows = db.scalars(sa.select(AccountRole).where(AccountRole.account_id == ada.id))
        return changed, {(row.role, Reach(row.department_id, row.course_id)) for row in rows}

    by_hand = (Role.ASSISTANT, Reach(course_id=one.id))
    head, admin = (Role.DEPARTMENT, Reach(department_id=department.id)), (Role.ADMIN, EVERYWHERE)
    every = [("administrator", ""), ("department", "Mathematics"), ("lecturer", "ONE"), ("assistant", "TWO")]
    assert follow(*every) == (True, {by_hand, head, admin, (Role.ASSISTANT, Reach(course_id=two.id))})
    assert follow(*every)[0] is False
    make_access_token(db, ada, NewToken("Script", ("read",), [two], timedelta(days=1)), now=NINE)
    assert follow(("lecturer", "TWO"), ("lecturer", "two")) == (
        True,
        {by_hand, (Role.LECTURER, Reach(course_id=two.id))},
    )
    assert db.scalar(sa.select(sa.func.count()).select_from(AccessToken)) == 0, "it rested on what is taken"
    assert follow() == (True, {by_hand})


@pytest.mark.exhaustive
def test_the_way_back_and_forth(db, engine):
    ada = make_lecturer(db, role=Role.ADMIN)
    ada.roles[0].from_provider = True
    db.commit()
    enter(db, ada)
    kept = begin_sign_in(db, ada, now=NINE, lifetime=HOUR)
    db.commit()
    db.close()
    assert losses_of_downgrade(engine, "0022") == [
        "1 people of the university's sign-in who are bound to somebody here",
        "1 roles by groups, which stay as if given by hand",
    ]
    downgrade(engine, "0022", lossy=True)
    upgrade(engine)
    assert [row.id for row in db.scalars(sa.select(SignIn))] == [sign_in_of(db, kept).id]
    assert db.scalars(sa.select(AccountRole.from_provider)).all() == [False]
    enter(db, db.scalars(sa.select(Account)).one())


@pytest.mark.exhaustive
def test_a_number_of_a_sign_in_is_given_once(db, engine):
    """Also after both ways, for which SQLite copies the table: who knows a number must not be taken for another."""
    db.close()
    downgrade(engine, "0022")
    upgrade(engine)
    ada = make_lecturer(db)
    db.commit()
    for _ in range(2):
        token = begin_sign_in(db, ada, now=NINE, lifetime=HOUR)
        number = sign_in_of(db, token).id
        end_sign_ins(db, SignIn.id == number)
        db.commit()
    assert number == 2
