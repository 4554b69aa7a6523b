"""What kept frames say was watched of closed sessions: held, and counted when a person has accepted it."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.held.answers import ACCEPTED, HeldError, answer_held
from attendance.database.held.minutes import minutes_in, waiting_minutes, watched_times
from attendance.database.models import (
    Attendance,
    AttendanceChange,
    HeldObservation,
    HeldSighting,
    Observation,
    Origin,
    Status,
    Unrecorded,
)
from attendance.database.register import Sighting
from attendance.database.transactions import transact
from attendance.database.watching.late_frames import take_in_observed, take_in_sightings
from attendance.database.watching.observation import MinuteCounts, MinuteOfCamera, Observed, observed_hours
from attendance.settings.attendance import LateFrames
from tests.attendance.database.held.places import Place, close, make_place
from tests.factories import NINE, make_course, make_session

WHOLE = range(90)


@pytest.fixture
def place(sessions: sessionmaker[Session]) -> Place:
    """A session of three students in a room that nobody watched."""
    return make_place(sessions, watched=False)


def kept(
    place: Place, minutes=WHOLE, *, live: bool = False, recorded: bool = False, unnamed: int = 0
) -> list[Observed]:
    return observed_hours(
        place.camera,
        place.room,
        [
            MinuteOfCamera(
                NINE + timedelta(minutes=minute), True, live, False, MinuteCounts(unnamed, 0, 0, 0, unnamed), recorded
            )
            for minute in minutes
        ],
    )


def take_in(sessions: sessionmaker[Session], reports: list[Observed], rule: LateFrames = LateFrames.PROPOSE) -> None:
    for one in reports:
        with sessions() as db:
            transact(db, partial(take_in_observed, observed=one, rule=rule))


def entries(sessions: sessionmaker[Session]) -> set[tuple[Status | None, Unrecorded | None]]:
    with sessions() as db:
        found = db.execute(sa.select(Attendance.status, Attendance.unrecorded_reason))
        return {(status, unrecorded) for status, unrecorded in found}


def held(sessions: sessionmaker[Session]) -> list[HeldObservation]:
    with sessions() as db:
        return list(waiting_minutes(db))


def watched(sessions: sessionmaker[Session]) -> list[int]:
    with sessions() as db:
        return list(db.scalars(sa.select(Observation.watched).order_by(Observation.hour)))


def answer(sessions: sessionmaker[Session], place: Place, sightings=(), *, accept: bool = True) -> None:
    with sessions() as db:
        minutes = [row.id for row in waiting_minutes(db)]
        answer_held(db, sightings, minutes, accept=accept, account_id=place.account)


def test_kept_frames_make_no_absence_in_a_closed_session_before_a_person_has_said_so(
    sessions: sessionmaker[Session], place: Place
) -> None:
    close(sessions)
    take_in(sessions, [*kept(place), *kept(place)])
    assert entries(sessions) == {(None, Unrecorded.UNWATCHED)}
    assert watched(sessions) == [0, 0]  # that the camera reported is known
    first, second = held(sessions)
    assert (minutes_in(first), minutes_in(second)) == (60, 30)
    assert watched_times(second) == (NINE + timedelta(minutes=60), NINE + timedelta(minutes=89))
    answer(sessions, place)
    assert entries(sessions) == {(Status.ABSENT, None)}
    assert held(sessions) == []
    with sessions() as db:
        said = {tuple(row) for row in db.execute(sa.select(AttendanceChange.account_id, AttendanceChange.reason))}
    assert said == {(place.account, ACCEPTED)}


def test_refused_minutes_count_for_nothing_and_stay_refused(sessions: sessionmaker[Session], place: Place) -> None:
    close(sessions)
    take_in(sessions, kept(place, range(30)))
    answer(sessions, place, accept=False)
    take_in(sessions, kept(place, range(60)))
    assert (entries(sessions), held(sessions)) == ({(None, Unrecorded.UNWATCHED)}, [])
    with pytest.raises(HeldError):
        answer(sessions, place)


def test_what_comes_of_an_accepted_hour_counts_at_once(sessions: sessionmaker[Session], place: Place) -> None:
    close(sessions)
    take_in(sessions, kept(place, range(10)))
    answer(sessions, place)
    take_in(sessions, kept(place, range(60)))
    assert (entries(sessions), held(sessions)) == ({(Status.ABSENT, None)}, [])


@pytest.mark.parametrize(
    ("what", "rule"),
    [({"live": True}, LateFrames.PROPOSE), ({"recorded": True}, LateFrames.PROPOSE), ({}, LateFrames.APPLY)],
    ids=["live ones", "an operator's recording", "an institution that wants it so"],
)
def test_what_counts_at_once(sessions: sessionmaker[Session], place: Place, what: dict, rule: LateFrames) -> None:
    close(sessions)
    take_in(sessions, kept(place, **what), rule)
    assert (entries(sessions), held(sessions)) == ({(Status.ABSENT, None)}, [])


def test_only_minutes_of_closed_sessions_are_held(sessions: sessionmaker[Session], place: Place) -> None:
    take_in(sessions, kept(place, range(30)))  # while the session is open
    close(sessions)
    with sessions.begin() as db:
        room = db.get_one(Observation, 1).room_id
        make_session(db, make_course(db), starts_at=NINE + timedelta(minutes=90)).room_id = room  # still open
    take_in(sessions, kept(place, range(120)))
    assert [(minutes_in(row)) for row in held(sessions)] == [30, 30]
    assert watched(sessions) == [(1 << 30) - 1, ((1 << 60) - 1) ^ ((1 << 30) - 1)]
    with sessions() as db:
        assert {row.session_id for row in waiting_minutes(db)} == {place.session}


def test_faces_of_kept_frames_take_no_absence_back(sessions: sessionmaker[Session], place: Place) -> None:
    take_in(sessions, kept(place, live=True))
    close(sessions)
    assert entries(sessions) == {(Status.ABSENT, None)}
    take_in(sessions, kept(place, unnamed=40))  # people who could not be named: nobody would be absent beside them
    assert (entries(sessions), held(sessions)) == ({(Status.ABSENT, None)}, [])


def test_who_was_seen_in_the_outage_is_not_absent_by_it(sessions: sessionmaker[Session], place: Place) -> None:
    close(sessions)
    seen = Sighting(place.session, "s1", NINE, NINE, 0.9, place.camera, Origin.KEPT)

    def late(db: Session) -> None:
        both = [seen, replace(seen, index_number="s2")]
        assert take_in_sightings(db, place.session, both, LateFrames.PROPOSE) == [True, True]

    with sessions() as db:
        transact(db, late)
    take_in(sessions, kept(place))
    assert entries(sessions) == {(None, Unrecorded.UNWATCHED)}
    with sessions() as db:
        first = db.scalars(sa.select(sa.func.min(HeldSighting.id))).one()
    answer(sessions, place, [first])
    with sessions() as db:
        found = db.execute(sa.select(Attendance.status, Attendance.unrecorded_reason).order_by(Attendance.student_id))
        assert [tuple(row) for row in found] == [
            (Status.PRESENT, None),
            (None, Unrecorded.HELD),  # somebody says so still
            (Status.ABSENT, None),
        ]
