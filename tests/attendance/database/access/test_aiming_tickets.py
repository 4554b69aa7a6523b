"""Tickets of the aiming view: for whom they count, for how long, and for which camera."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.aiming import AimingProblem
from attendance.database.access.accounts import set_password
from attendance.database.access.aiming_tickets import (
    TICKET_LASTS,
    VIEW_LASTS,
    TicketError,
    check_ticket,
    sign_ticket,
)
from attendance.database.access.roles import EVERYWHERE, take_role
from attendance.database.access.sign_ins import end_sign_ins, sign_in_of
from attendance.database.engine import create_database_engine, session_factory
from attendance.database.models import Account, Role, SignIn, utc_now
from tests.databases import make_tables
from tests.factories import make_lecturer, make_sign_in

NOW = utc_now().replace(microsecond=0)
CAMERA = 7


@pytest.fixture
def db(tmp_path):
    """On SQLite: what is asked of the database is a sign-in by its number."""
    engine = create_database_engine(f"sqlite:///{tmp_path / 'attendance.db'}")
    make_tables(engine)
    with session_factory(engine)() as db:
        yield db
    engine.dispose()


@pytest.fixture
def ada(db):
    return make_lecturer(db, role=Role.ADMIN)


def found(db, token):
    sign_in = sign_in_of(db, token)
    assert sign_in is not None
    return sign_in


@pytest.fixture
def sign_in(db, ada):
    token = make_sign_in(db, ada)
    db.commit()
    return found(db, token)


def signed(sign_in, camera_id, **options):
    ticket = sign_ticket(sign_in, camera_id, **options)
    assert ticket is not None
    return ticket


def problem(db, ticket, *, camera_id=CAMERA, now=NOW):
    db.expire_all()
    with pytest.raises(TicketError) as refused:
        check_ticket(db, ticket, camera_id=camera_id, now=now)
    return refused.value.problem


def test_counts_for_its_camera_for_two_minutes(db, sign_in):
    ticket = signed(sign_in, CAMERA, clear=True, now=NOW)
    allowed = check_ticket(db, ticket, camera_id=CAMERA, now=NOW + TICKET_LASTS - timedelta(seconds=1))
    assert (allowed.camera_id, allowed.clear, allowed.began) == (CAMERA, True, NOW)
    assert problem(db, ticket, now=NOW + TICKET_LASTS) is AimingProblem.EXPIRED
    assert problem(db, ticket, camera_id=CAMERA + 1) is AimingProblem.OTHER_CAMERA


def test_tickets_follow_one_another_for_half_an_hour(db, sign_in):
    late = NOW + VIEW_LASTS - timedelta(seconds=30)
    ticket = signed(sign_in, CAMERA, clear=False, now=late, began=NOW)
    assert check_ticket(db, ticket, camera_id=CAMERA, now=late).expires == NOW + VIEW_LASTS
    assert sign_ticket(sign_in, CAMERA, clear=False, now=NOW + VIEW_LASTS, began=NOW) is None


def changed(ticket, place, value):
    parts = ticket.split(".")
    parts[place] = value
    return ".".join(parts)


@pytest.mark.parametrize(
    ("place", "value"),
    [(2, "8"), (3, "clear"), (4, "1"), (5, "99999999999"), (6, "A" * 43)],
    ids=["camera", "faces", "beginning", "end", "signature"],
)
def test_whoever_changes_one_has_none(db, sign_in, place, value):
    ticket = changed(signed(sign_in, CAMERA, clear=False, now=NOW), place, value)
    assert problem(db, ticket, camera_id=8 if place == 2 else CAMERA) is AimingProblem.FORGED


@pytest.mark.parametrize("text", ["", "1", "x" * 5_000, "1.1.7.clear.1.1.", "1.\u0661.7.clear.1.1." + "A" * 43])
def test_what_is_no_ticket(db, text):
    assert problem(db, text) is AimingProblem.FORGED


def test_one_signed_with_another_sign_ins_key_is_forged(db, ada, sign_in):
    other = found(db, make_sign_in(db, ada))
    db.commit()
    ticket = changed(signed(other, CAMERA, clear=False, now=NOW), 1, str(sign_in.id))
    assert problem(db, ticket) is AimingProblem.FORGED


@pytest.mark.parametrize(
    "ending",
    [
        lambda db, ada: end_sign_ins(db, SignIn.account_id == ada.id),
        lambda db, ada: db.execute(sa.delete(Account).where(Account.id == ada.id)),
        lambda db, ada: db.execute(sa.update(Account).where(Account.id == ada.id).values(active=False)),
        lambda db, ada: take_role(db, ada.id, EVERYWHERE),
        lambda db, ada: set_password(db, ada, "new hash"),
        lambda db, ada: db.execute(sa.update(SignIn).values(awaits_code=True)),
        lambda db, ada: db.execute(sa.update(SignIn).values(expires_at=NOW)),
    ],
    ids=["signed out", "removed", "closed", "no administrator", "another password", "half signed in", "timed out"],
)
def test_ends_with_what_it_rests_on(db, ada, sign_in, ending):
    ticket = signed(sign_in, CAMERA, clear=False, now=NOW)
    ending(db, ada)
    db.commit()
    assert problem(db, ticket) is AimingProblem.ENDED


def test_a_lecturer_gets_nothing_with_one(db):
    lecturer = make_lecturer(db)
    token = make_sign_in(db, lecturer)
    db.commit()
    ticket = signed(found(db, token), CAMERA, clear=False, now=NOW)
    assert problem(db, ticket) is AimingProblem.ENDED
