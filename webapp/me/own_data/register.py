"""Tables of *my data* of registers: courses, entries, what cameras saw, excuses, and what was called wrong."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.evidence import frames_of
from attendance.database.models import (
    Account,
    Attendance,
    AttendanceChange,
    AttendanceEvidence,
    Course,
    CourseGroup,
    CourseGroupMember,
    Dispute,
    Enrolment,
    Excuse,
    Guest,
    HeldSighting,
    LowAttendance,
)
from webapp.me.own_data.table import AT_ONCE, SESSION, OwnTable, Row, each, moment_text, name_of, sessions_by_id


def _courses(db: Session, student_id: int) -> Iterator[Row]:
    group = (
        sa.select(CourseGroup.course_id, CourseGroup.name)
        .join(CourseGroupMember, CourseGroupMember.group_id == CourseGroup.id)
        .where(CourseGroupMember.student_id == student_id)
        .subquery()
    )
    query = (
        sa.select(Course.code, Course.name, group.c.name, LowAttendance.noted_at)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .outerjoin(group, group.c.course_id == Course.id)
        .outerjoin(LowAttendance, sa.and_(LowAttendance.course_id == Course.id, LowAttendance.student_id == student_id))
        .where(Enrolment.student_id == student_id)
        .order_by(Course.code, group.c.name)
    )
    for code, name, in_group, noted_at in db.execute(query):
        yield {"course": code, "name": name, "group": in_group, "low_attendance_noted_at": moment_text(noted_at)}


def _register(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Attendance).where(Attendance.student_id == student_id)
    sessions = sessions_by_id(db, mine.with_only_columns(Attendance.session_id))
    for entry in each(
        db, mine.options(joinedload(Attendance.camera), joinedload(Attendance.label)).order_by(Attendance.id)
    ):
        yield sessions[entry.session_id] | {
            "status": entry.status,
            "label": entry.label.name if entry.label else None,
            "not_recorded_because": entry.unrecorded_reason,
            "decided_by": entry.source,
            "first_seen": moment_text(entry.first_seen),
            "last_seen": moment_text(entry.last_seen),
            "confidence": entry.confidence,
            "camera": entry.camera.name if entry.camera else None,
            "room_watched_from": moment_text(entry.watched_from),
            "remark": entry.remark,
            "updated_at": moment_text(entry.updated_at),
        }


def _corrections(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.or_(AttendanceChange.student_id == student_id, Attendance.student_id == student_id)
    # Of an entry that was taken out, the change itself says whose it was.
    session_id = sa.func.coalesce(AttendanceChange.session_id, Attendance.session_id)
    query = (
        sa.select(AttendanceChange, session_id, Account.name)
        .outerjoin(Attendance, Attendance.id == AttendanceChange.attendance_id)
        .outerjoin(Account, Account.id == AttendanceChange.account_id)
        .where(mine)
        .order_by(AttendanceChange.id)
    )
    sessions = sessions_by_id(db, query.with_only_columns(session_id).order_by(None))
    for change, of_session, who in db.execute(
        query.options(joinedload(AttendanceChange.new_label)).execution_options(yield_per=AT_ONCE)
    ):
        yield sessions[of_session] | {
            "changed_at": moment_text(change.changed_at),
            "changed_by": who,
            "from_status": change.old_status,
            "to_status": change.new_status,
            "to_label": change.new_label.name if change.new_label else None,
            "to_not_recorded_because": change.new_unrecorded,
            "remark": change.remark,
            "reason": change.reason,
        }


def _held(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(HeldSighting).where(HeldSighting.student_id == student_id)
    sessions = sessions_by_id(db, mine.with_only_columns(HeldSighting.session_id))
    known = mine.options(joinedload(HeldSighting.camera), joinedload(HeldSighting.answered_by))
    for row in each(db, known.order_by(HeldSighting.id)):
        yield sessions[row.session_id] | {
            "camera": row.camera.name if row.camera else None,
            "origin": row.origin,
            "reasons": " ".join(row.reasons),
            "first_seen": moment_text(row.first_seen),
            "last_seen": moment_text(row.last_seen),
            "confidence": row.confidence,
            "arrived_at": moment_text(row.arrived_at),
            "accepted": row.accepted,
            "answer": row.answer,
            "answered_at": moment_text(row.answered_at),
            "answered_by": name_of(row.answered_by),
        }


def _evidence_query(student_id: int) -> sa.Select[Any]:
    return sa.select(AttendanceEvidence).where(AttendanceEvidence.student_id == student_id)


def _evidence(db: Session, student_id: int) -> Iterator[Row]:
    mine = _evidence_query(student_id)
    sessions = sessions_by_id(db, mine.with_only_columns(AttendanceEvidence.session_id))
    for row in each(db, mine.options(joinedload(AttendanceEvidence.camera)).order_by(AttendanceEvidence.id)):
        yield sessions[row.session_id] | {
            "evidence": row.id,
            "camera": row.camera.name if row.camera else None,
            "first_picture_at": moment_text(row.first_frame_at),
            "last_picture_at": moment_text(row.last_frame_at),
            "pictures": row.frames,
            "distance": row.distance,
            "limit": row.threshold,
            "confidence": row.confidence,
            "origin": row.origin,
            "index_version": row.index_version,
            "held": row.held,
            "recorded_at": moment_text(row.recorded_at),
        }


def _pictures(db: Session, student_id: int) -> Iterator[Row]:
    for row in each(db, _evidence_query(student_id).order_by(AttendanceEvidence.id)):
        for frame in frames_of(row):
            yield {
                "evidence": row.id,
                "captured_at": moment_text(frame.captured_at),
                "distance": frame.distance,
                "weight": frame.weight,
                "width_pixels": frame.width,
                "sharpness": frame.sharpness,
            }


def _as_guest(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Guest).where(Guest.student_id == student_id)
    sessions = sessions_by_id(db, mine.with_only_columns(Guest.session_id))
    for guest in each(db, mine.order_by(Guest.session_id)):
        yield sessions[guest.session_id] | {
            "first_seen": moment_text(guest.first_seen),
            "last_seen": moment_text(guest.last_seen),
            "confidence": guest.confidence,
        }


def _excuses(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(Excuse).options(joinedload(Excuse.course), joinedload(Excuse.created_by))
    for excuse in each(db, query.where(Excuse.student_id == student_id).order_by(Excuse.id)):
        yield {
            "course": excuse.course.code if excuse.course else None,
            "starts_at": moment_text(excuse.starts_at),
            "ends_at": moment_text(excuse.ends_at),
            "reason": excuse.reason,
            "reference": excuse.reference,
            "given_by": name_of(excuse.created_by),
            "given_at": moment_text(excuse.created_at),
        }


def _disputes(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Dispute).where(Dispute.student_id == student_id)
    sessions = sessions_by_id(db, mine.with_only_columns(Dispute.session_id))
    for dispute in each(db, mine.options(joinedload(Dispute.answered_by)).order_by(Dispute.id)):
        yield sessions[dispute.session_id] | {
            "claimed": dispute.claimed,
            "text": dispute.text,
            "raised_at": moment_text(dispute.raised_at),
            "corrected": dispute.accepted,
            "answer": dispute.answer,
            "answered_at": moment_text(dispute.answered_at),
            "answered_by": name_of(dispute.answered_by),
        }


REGISTER_TABLES = (
    OwnTable(
        "courses",
        lazy_gettext("The courses and groups that you are in."),
        ("course", "name", "group", "low_attendance_noted_at"),
        _courses,
    ),
    OwnTable(
        "register",
        lazy_gettext("What the registers say of you."),
        (
            *SESSION, "status", "label", "not_recorded_because", "decided_by", "first_seen", "last_seen", "confidence",
            "camera", "room_watched_from", "remark", "updated_at",
        ),
        _register,
    ),
    OwnTable(
        "corrections",
        lazy_gettext("Every change of these entries, with the reason."),
        (
            *SESSION, "changed_at", "changed_by", "from_status", "to_status", "to_label",
            "to_not_recorded_because", "remark", "reason",
        ),
        _corrections,
    ),
    OwnTable(
        "evidence",
        lazy_gettext("When cameras recognised you, and how surely."),
        (
            *SESSION, "evidence", "camera", "first_picture_at", "last_picture_at", "pictures", "distance", "limit",
            "confidence", "origin", "index_version", "held", "recorded_at",
        ),
        _evidence,
    ),
    OwnTable(
        "pictures",
        lazy_gettext("The pictures that counted, one by one: numbers only; no picture is kept."),
        ("evidence", "captured_at", "distance", "weight", "width_pixels", "sharpness"),
        _pictures,
    ),
    OwnTable(
        "held",
        lazy_gettext("Sightings of you that were held until somebody accepted or refused them."),
        (
            *SESSION, "camera", "origin", "reasons", "first_seen", "last_seen", "confidence", "arrived_at", "accepted",
            "answer", "answered_at", "answered_by",
        ),
        _held,
    ),
    OwnTable(
        "guest",
        lazy_gettext("Sessions of other groups in which you were seen."),
        (*SESSION, "first_seen", "last_seen", "confidence"),
        _as_guest,
    ),
    OwnTable(
        "excuses",
        lazy_gettext("Your excuses."),
        ("course", "starts_at", "ends_at", "reason", "reference", "given_by", "given_at"),
        _excuses,
    ),
    OwnTable(
        "disputes",
        lazy_gettext("The entries that you called wrong, and the answers."),
        (*SESSION, "claimed", "text", "raised_at", "corrected", "answer", "answered_at", "answered_by"),
        _disputes,
    ),
)  # fmt: skip
