"""The tables of *my data*: of every row that the database keeps of a student, what concerns the student.

Of others there is nothing but the names of those who decided something. How near other students' faces were is left
out, and so are the hashes of links. A test holds these tables against all that refer to a student.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.audiences import parts
from attendance.database.evidence import frames_of
from attendance.database.models import (
    Account,
    ActorKind,
    Attendance,
    AttendanceChange,
    AttendanceEvidence,
    AuditEntry,
    ClassSession,
    ConsentChange,
    Course,
    CourseGroup,
    CourseGroupMember,
    Dispute,
    Enrolment,
    Erasure,
    Excuse,
    GalleryJob,
    Guest,
    HeldSighting,
    LowAttendance,
    PhotoProposal,
    QueuedMail,
    SignIn,
    Student,
)
from webapp.tools.session_words import audience_codes, room_names
from webapp.tools.times import local

Cell = str | int | float | bool | None
Row = dict[str, Cell]

_AT_ONCE = 200
"""Rows of one step."""


@dataclass(frozen=True)
class OwnTable:
    """One table of the download.

    Attributes:
        name: of its files.
        says: what it holds, for the student.
        columns: in order.
        rows: of a student, by the student's id.
    """

    name: str
    says: str
    columns: Sequence[str]
    rows: Callable[[Session, int], Iterator[Row]]


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else local(moment).isoformat(timespec="seconds")


def _name(account: Account | None) -> str | None:
    return None if account is None else account.name


def _each(db: Session, query: sa.Select[Any]) -> Iterator[Any]:
    """The rows of a query for one entity, some at a time, forgotten when they have been read."""
    for some in db.scalars(query.execution_options(yield_per=_AT_ONCE)).partitions():
        yield from some
        db.expunge_all()


def _session_cells(session: ClassSession) -> Row:
    return {
        "courses": audience_codes(session),
        "starts_at": _moment(session.starts_at),
        "ends_at": _moment(session.ends_at),
        "rooms": room_names(session),
    }


_SESSION = ("courses", "starts_at", "ends_at", "rooms")


def _sessions(db: Session, ids: sa.Select[Any]) -> dict[int, Row]:
    """What is said of each of these sessions, by its id; a term has some hundreds."""
    # Not step by step: what belongs to a session is read by statements of its own, in the middle of the first one.
    query = sa.select(ClassSession).options(*parts()).where(ClassSession.id.in_(ids))
    return {session.id: _session_cells(session) for session in db.scalars(query)}


def _student(db: Session, student_id: int) -> Iterator[Row]:
    for student in _each(db, sa.select(Student).where(Student.id == student_id)):
        yield {
            "index_number": student.index_number,
            "name": student.name,
            "email": student.email,
            "language": student.language,
            "declared_group": student.declared_group,
            "added_at": _moment(student.created_at),
            "consent_given_at": _moment(student.consent_given_at),
            "consent_means": student.consent_means,
            "consent_withdrawn_at": _moment(student.consent_withdrawn_at),
            "face_encodings": student.gallery_encodings,
            "face_encodings_changed_at": _moment(student.gallery_updated_at),
            "recognisable_since": _moment(student.recognisable_since),
        }


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
        yield {"course": code, "name": name, "group": in_group, "low_attendance_noted_at": _moment(noted_at)}


def _register(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Attendance).where(Attendance.student_id == student_id)
    sessions = _sessions(db, mine.with_only_columns(Attendance.session_id))
    for entry in _each(
        db, mine.options(joinedload(Attendance.camera), joinedload(Attendance.label)).order_by(Attendance.id)
    ):
        yield sessions[entry.session_id] | {
            "status": entry.status,
            "label": entry.label.name if entry.label else None,
            "not_recorded_because": entry.unrecorded_reason,
            "decided_by": entry.source,
            "first_seen": _moment(entry.first_seen),
            "last_seen": _moment(entry.last_seen),
            "confidence": entry.confidence,
            "camera": entry.camera.name if entry.camera else None,
            "room_watched_from": _moment(entry.watched_from),
            "remark": entry.remark,
            "updated_at": _moment(entry.updated_at),
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
    sessions = _sessions(db, query.with_only_columns(session_id).order_by(None))
    for change, of_session, who in db.execute(
        query.options(joinedload(AttendanceChange.new_label)).execution_options(yield_per=_AT_ONCE)
    ):
        yield sessions[of_session] | {
            "changed_at": _moment(change.changed_at),
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
    sessions = _sessions(db, mine.with_only_columns(HeldSighting.session_id))
    known = mine.options(joinedload(HeldSighting.camera), joinedload(HeldSighting.answered_by))
    for row in _each(db, known.order_by(HeldSighting.id)):
        yield sessions[row.session_id] | {
            "camera": row.camera.name if row.camera else None,
            "origin": row.origin,
            "reasons": " ".join(row.reasons),
            "first_seen": _moment(row.first_seen),
            "last_seen": _moment(row.last_seen),
            "confidence": row.confidence,
            "arrived_at": _moment(row.arrived_at),
            "accepted": row.accepted,
            "answer": row.answer,
            "answered_at": _moment(row.answered_at),
            "answered_by": _name(row.answered_by),
        }


def _evidence_query(student_id: int) -> sa.Select[Any]:
    return sa.select(AttendanceEvidence).where(AttendanceEvidence.student_id == student_id)


def _evidence(db: Session, student_id: int) -> Iterator[Row]:
    mine = _evidence_query(student_id)
    sessions = _sessions(db, mine.with_only_columns(AttendanceEvidence.session_id))
    for row in _each(db, mine.options(joinedload(AttendanceEvidence.camera)).order_by(AttendanceEvidence.id)):
        yield sessions[row.session_id] | {
            "evidence": row.id,
            "camera": row.camera.name if row.camera else None,
            "first_picture_at": _moment(row.first_frame_at),
            "last_picture_at": _moment(row.last_frame_at),
            "pictures": row.frames,
            "distance": row.distance,
            "limit": row.threshold,
            "confidence": row.confidence,
            "origin": row.origin,
            "index_version": row.index_version,
            "held": row.held,
            "recorded_at": _moment(row.recorded_at),
        }


def _pictures(db: Session, student_id: int) -> Iterator[Row]:
    for row in _each(db, _evidence_query(student_id).order_by(AttendanceEvidence.id)):
        for frame in frames_of(row):
            yield {
                "evidence": row.id,
                "captured_at": _moment(frame.captured_at),
                "distance": frame.distance,
                "weight": frame.weight,
                "width_pixels": frame.width,
                "sharpness": frame.sharpness,
            }


def _as_guest(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Guest).where(Guest.student_id == student_id)
    sessions = _sessions(db, mine.with_only_columns(Guest.session_id))
    for guest in _each(db, mine.order_by(Guest.session_id)):
        yield sessions[guest.session_id] | {
            "first_seen": _moment(guest.first_seen),
            "last_seen": _moment(guest.last_seen),
            "confidence": guest.confidence,
        }


def _excuses(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(Excuse).options(joinedload(Excuse.course), joinedload(Excuse.created_by))
    for excuse in _each(db, query.where(Excuse.student_id == student_id).order_by(Excuse.id)):
        yield {
            "course": excuse.course.code if excuse.course else None,
            "starts_at": _moment(excuse.starts_at),
            "ends_at": _moment(excuse.ends_at),
            "reason": excuse.reason,
            "reference": excuse.reference,
            "given_by": _name(excuse.created_by),
            "given_at": _moment(excuse.created_at),
        }


def _consent(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(ConsentChange).options(joinedload(ConsentChange.account))
    for change in _each(db, query.where(ConsentChange.student_id == student_id).order_by(ConsentChange.id)):
        yield {
            "change": change.kind,
            "happened_at": _moment(change.happened_at),
            "recorded_at": _moment(change.recorded_at),
            "means": change.means,
            "recorded_through": change.recorder,
            "recorded_by": _name(change.account),
        }


def _disputes(db: Session, student_id: int) -> Iterator[Row]:
    mine = sa.select(Dispute).where(Dispute.student_id == student_id)
    sessions = _sessions(db, mine.with_only_columns(Dispute.session_id))
    for dispute in _each(db, mine.options(joinedload(Dispute.answered_by)).order_by(Dispute.id)):
        yield sessions[dispute.session_id] | {
            "claimed": dispute.claimed,
            "text": dispute.text,
            "raised_at": _moment(dispute.raised_at),
            "corrected": dispute.accepted,
            "answer": dispute.answer,
            "answered_at": _moment(dispute.answered_at),
            "answered_by": _name(dispute.answered_by),
        }


def _proposals(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(PhotoProposal).options(joinedload(PhotoProposal.decided_by))
    for photo in _each(db, query.where(PhotoProposal.student_id == student_id).order_by(PhotoProposal.id)):
        yield {
            "file": photo.file_name,
            "proposed_at": _moment(photo.proposed_at),
            "state": photo.state,
            "decided_at": _moment(photo.decided_at),
            "decided_by": _name(photo.decided_by),
            "reason": photo.reason,
        }


def _gallery(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    query = sa.select(GalleryJob).options(joinedload(GalleryJob.requested_by))
    for job in _each(db, query.where(GalleryJob.index_number == number).order_by(GalleryJob.id)):
        yield {
            "work": job.kind,
            "state": job.state,
            "asked_for_at": _moment(job.requested_at),
            "asked_for_by": _name(job.requested_by),
            "ended_at": _moment(job.finished_at),
            # Without details: they may name whom a photo is like.
            "photos": ", ".join(f"{line.get('photo')}: {line.get('outcome')}" for line in job.report or []) or None,
        }


def _erasures(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    query = sa.select(Erasure).options(joinedload(Erasure.requested_by)).where(Erasure.index_number == number)
    for erasure in _each(db, query.order_by(Erasure.id)):
        yield {
            "kind": erasure.kind,
            "asked_for_at": _moment(erasure.requested_at),
            "asked_for_by": _name(erasure.requested_by) or erasure.recorder,
            "ended_at": _moment(erasure.finished_at),
        }


def _mail(db: Session, student_id: int) -> Iterator[Row]:
    address = sa.select(Student.email).where(Student.id == student_id).scalar_subquery()
    for mail in _each(db, sa.select(QueuedMail).where(QueuedMail.recipient == address).order_by(QueuedMail.id)):
        yield {
            "kind": mail.kind,
            "to": mail.recipient,
            "state": mail.state,
            "asked_for_at": _moment(mail.queued_at),
            "ended_at": _moment(mail.ended_at),
        }


def _sign_ins(db: Session, student_id: int) -> Iterator[Row]:
    for made in _each(db, sa.select(SignIn).where(SignIn.student_id == student_id).order_by(SignIn.id)):
        yield {
            "signed_in_at": _moment(made.made_at),
            "last_used_at": _moment(made.used_at),
            "ends_at": _moment(made.expires_at),
            "browser": made.browser,
            "address": made.address,
        }


def _log(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    query = sa.select(AuditEntry, Account.name).outerjoin(Account, Account.id == AuditEntry.account_id)
    query = query.where(AuditEntry.student == number).order_by(AuditEntry.happened_at, AuditEntry.id)
    for entry, who in db.execute(query.execution_options(yield_per=_AT_ONCE)):
        own = entry.actor_kind is ActorKind.STUDENT
        yield {
            "happened_at": _moment(entry.happened_at),
            "what": entry.action,
            "by": gettext("you") if own else who,
            "about": entry.subject,
            # Where others were is theirs.
            "from_address": entry.address if own else None,
        }


TABLES = (
    OwnTable(
        "student",
        lazy_gettext("Who you are here, your consent, and how many face encodings are kept of you since when."),
        (
            "index_number", "name", "email", "language", "declared_group", "added_at", "consent_given_at",
            "consent_means", "consent_withdrawn_at", "face_encodings", "face_encodings_changed_at",
            "recognisable_since",
        ),
        _student,
    ),
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
            *_SESSION, "status", "label", "not_recorded_because", "decided_by", "first_seen", "last_seen", "confidence",
            "camera", "room_watched_from", "remark", "updated_at",
        ),
        _register,
    ),
    OwnTable(
        "corrections",
        lazy_gettext("Every change of these entries, with the reason."),
        (
            *_SESSION, "changed_at", "changed_by", "from_status", "to_status", "to_label",
            "to_not_recorded_because", "remark", "reason",
        ),
        _corrections,
    ),
    OwnTable(
        "evidence",
        lazy_gettext("When cameras recognised you, and how surely."),
        (
            *_SESSION, "evidence", "camera", "first_picture_at", "last_picture_at", "pictures", "distance", "limit",
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
            *_SESSION, "camera", "origin", "reasons", "first_seen", "last_seen", "confidence", "arrived_at", "accepted",
            "answer", "answered_at", "answered_by",
        ),
        _held,
    ),
    OwnTable(
        "guest",
        lazy_gettext("Sessions of other groups in which you were seen."),
        (*_SESSION, "first_seen", "last_seen", "confidence"),
        _as_guest,
    ),
    OwnTable(
        "excuses",
        lazy_gettext("Your excuses."),
        ("course", "starts_at", "ends_at", "reason", "reference", "given_by", "given_at"),
        _excuses,
    ),
    OwnTable(
        "consent",
        lazy_gettext("Every change of your consent."),
        ("change", "happened_at", "recorded_at", "means", "recorded_through", "recorded_by"),
        _consent,
    ),
    OwnTable(
        "disputes",
        lazy_gettext("The entries that you called wrong, and the answers."),
        (*_SESSION, "claimed", "text", "raised_at", "corrected", "answer", "answered_at", "answered_by"),
        _disputes,
    ),
    OwnTable(
        "proposed-photos",
        lazy_gettext("The photos that you proposed, without the pictures."),
        ("file", "proposed_at", "state", "decided_at", "decided_by", "reason"),
        _proposals,
    ),
    OwnTable(
        "gallery",
        lazy_gettext("What was asked for with your photos, and how it ended."),
        ("work", "state", "asked_for_at", "asked_for_by", "ended_at", "photos"),
        _gallery,
    ),
    OwnTable(
        "erasures",
        lazy_gettext("What you, or somebody for you, had erased, and when that was done everywhere."),
        ("kind", "asked_for_at", "asked_for_by", "ended_at"),
        _erasures,
    ),
    OwnTable(
        "mail",
        lazy_gettext("The mail that was sent to you."),
        ("kind", "to", "state", "asked_for_at", "ended_at"),
        _mail,
    ),
    OwnTable(
        "sign-ins",
        lazy_gettext("Where you are signed in to your page, and were until yesterday."),
        ("signed_in_at", "last_used_at", "ends_at", "browser", "address"),
        _sign_ins,
    ),
    OwnTable(
        "log",
        lazy_gettext("What was done to you and by you, as the audit log has it."),
        ("happened_at", "what", "by", "about", "from_address"),
        _log,
    ),
)  # fmt: skip
