"""A person's word on what is held: it counts as if it had been observed, or it does not."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.decisions import decide_session, follow_observation
from attendance.database.entries import Author, locked_entry, note_word
from attendance.database.held.minutes import observed_in
from attendance.database.held.taking_in import apply_sighting
from attendance.database.models import (
    AttendanceEvidence,
    ClassSession,
    HeldObservation,
    HeldSighting,
    Source,
    Student,
    utc_now,
)
from attendance.database.register import Sighting, session_in_force
from attendance.database.transactions import transact
from attendance.database.watching.observation import record_observation
from attendance.errors import AttendanceError
from attendance.tables.fields import HELD_ANSWER
from attendance.texts import english

ACCEPTED = english("A sighting that was held was accepted.")
REFUSED = english("A sighting that was held was refused.")


class HeldError(AttendanceError, ValueError):
    """What is held cannot be answered so; the message says why, for the person who answers."""


@dataclass(slots=True)
class Answered:
    """What became of an answer.

    Attributes:
        rows: the sightings that were answered.
        minutes: the hours of cameras that were answered.
        stayed: students whose entries a person had decided before, so that only the times seen were brought up to date.
        nowhere: students whom accepting did not enter: gone from the roster, or the session's times have changed.
    """

    rows: list[HeldSighting] = field(default_factory=list)
    minutes: list[HeldObservation] = field(default_factory=list)
    stayed: set[int] = field(default_factory=set)
    nowhere: set[int] = field(default_factory=set)


def answer_held(
    db: Session,
    held_ids: Collection[int] = (),
    minutes_ids: Collection[int] = (),
    *,
    accept: bool,
    account_id: int,
    answer: str = "",
    now: datetime | None = None,
) -> Answered:
    """Accept or refuse what is held, all in one transaction of its own; the registers follow.

    Accepted, each counts as if it had been observed, and the entry's history says who accepted it. What a person had
    decided stays. Refused, it counts for nothing, and the machine decides without it.

    Args:
        db: a session with nothing pending.
        held_ids: of sightings; those that somebody has answered meanwhile are left out.
        minutes_ids: of what was watched, likewise. Sightings count first, so that nobody is absent who was seen.
        accept: accept or refuse.
        account_id: who answers.
        answer: why, if the person says so; at most 500 characters.
        now: when, aware; the present unless given.

    Returns:
        What became of it.

    Raises:
        HeldError: the answer is too long, or all of it has been answered meanwhile.
        sqlalchemy.exc.DBAPIError: the database is away, or too many races were lost.
    """
    said = HELD_ANSWER.clean(answer)
    if said and (problem := HELD_ANSWER.problem(said)) is not None:
        raise HeldError(english("The reason %(problem)s.", problem=problem))
    # What the person writes stands beside the sighting: others' entries may change for the same cause.
    author = Author(ACCEPTED if accept else REFUSED, account_id, now or utc_now())
    return transact(db, lambda db: _answer(db, held_ids, minutes_ids, author, accept=accept, said=said))


def _answer(
    db: Session,
    held_ids: Collection[int],
    minutes_ids: Collection[int],
    author: Author,
    *,
    accept: bool,
    said: str,
) -> Answered:
    done = Answered()
    sessions = _sessions_of(db, held_ids, minutes_ids)
    done.rows = list(_open_rows(db, held_ids))
    done.minutes = list(_open_minutes(db, minutes_ids))
    if not done.rows and not done.minutes:
        raise HeldError(english("Somebody has answered this already."))
    for hour in done.minutes:
        hour.accepted, hour.answered_at, hour.answered_by_id = accept, author.now, author.account_id
    for row in done.rows:
        row.accepted, row.answer, row.answered_at, row.answered_by_id = (
            accept,
            said or None,
            author.now,
            author.account_id,
        )
    db.flush()
    versions = {(row.session_id, row.student_id): _version(db, row) for row in done.rows}
    if accept:
        for row in done.rows:
            _apply(db, row, author, done)
        for hour in done.minutes:
            record_observation(db, observed_in(hour))
    for session in sessions.values():
        if session.closed_at is not None:
            decide_session(db, session, author)
    if accept:
        for hour in done.minutes:
            follow_observation(db, hour.room_id, hour.hour)  # others that hold the same minutes
        _note(db, versions, author, done)
    return done


def _sessions_of(db: Session, held_ids: Collection[int], minutes_ids: Collection[int]) -> dict[int, ClassSession]:
    """The sessions of these rows, none of which is moved or closed meanwhile; in one order everywhere."""
    ids = set(db.scalars(sa.select(HeldSighting.session_id).where(HeldSighting.id.in_(held_ids))))
    ids |= set(db.scalars(sa.select(HeldObservation.session_id).where(HeldObservation.id.in_(minutes_ids))))
    found = ((session_id, session_in_force(db, session_id)) for session_id in sorted(ids))
    return {session_id: session for session_id, session in found if session is not None}


def _open_rows(db: Session, held_ids: Collection[int]) -> Sequence[HeldSighting]:
    return db.scalars(
        sa.select(HeldSighting)
        .where(HeldSighting.id.in_(held_ids), HeldSighting.accepted.is_(None))
        .order_by(HeldSighting.session_id, HeldSighting.student_id, HeldSighting.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _open_minutes(db: Session, minutes_ids: Collection[int]) -> Sequence[HeldObservation]:
    return db.scalars(
        sa.select(HeldObservation)
        .where(HeldObservation.id.in_(minutes_ids), HeldObservation.accepted.is_(None))
        .order_by(HeldObservation.session_id, HeldObservation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()


def _version(db: Session, row: HeldSighting) -> int | None:
    entry = locked_entry(db, row.session_id, row.student_id)
    return None if entry is None else entry.version


def _apply(db: Session, row: HeldSighting, author: Author, done: Answered) -> None:
    index_number = db.scalars(sa.select(Student.index_number).where(Student.id == row.student_id)).one()
    sighting = Sighting(
        row.session_id, index_number, row.first_seen, row.last_seen, row.confidence, row.camera_id, row.origin
    )
    if not apply_sighting(db, sighting, author=author):
        done.nowhere.add(row.student_id)
    db.execute(
        sa.update(AttendanceEvidence)
        .where(
            AttendanceEvidence.session_id == row.session_id,
            AttendanceEvidence.student_id == row.student_id,
            AttendanceEvidence.camera_id == row.camera_id,
            AttendanceEvidence.origin == row.origin,
            AttendanceEvidence.first_frame_at <= row.last_seen,
            AttendanceEvidence.last_frame_at >= row.first_seen,
        )
        .values(held=False)
        .execution_options(synchronize_session=False)
    )


def _note(db: Session, versions: dict[tuple[int, int], int | None], author: Author, done: Answered) -> None:
    """Let the history of each entry say who accepted, also where the status is what it was."""
    for (session_id, student_id), version in versions.items():
        entry = locked_entry(db, session_id, student_id)
        if entry is None:
            continue
        if entry.version == version:
            note_word(db, entry, author)
        if entry.source is Source.PERSON:
            done.stayed.add(student_id)
