"""Tables of *my data* of the student: consent, photos, erasures, mail, sign-ins, and the audit log."""

from collections.abc import Iterator

import sqlalchemy as sa
from flask_babel import gettext, lazy_gettext
from sqlalchemy.orm import Session, joinedload

from attendance.database.models import (
    Account,
    ActorKind,
    AuditEntry,
    CalendarFeed,
    ConsentChange,
    Erasure,
    ExternalIdentity,
    GalleryJob,
    LtiCourse,
    LtiRate,
    PhotoProposal,
    ProviderIdentity,
    QueuedMail,
    SignIn,
    Student,
)
from attendance.database.upkeep.erasure import calendars_naming
from webapp.me.own_data.table import AT_ONCE, OwnTable, Row, each, moment_text, name_of


def _student(db: Session, student_id: int) -> Iterator[Row]:
    for student in each(db, sa.select(Student).where(Student.id == student_id)):
        yield {
            "index_number": student.index_number,
            "name": student.name,
            "email": student.email,
            "language": student.language,
            "declared_group": student.declared_group,
            "added_at": moment_text(student.created_at),
            "consent_given_at": moment_text(student.consent_given_at),
            "consent_means": student.consent_means,
            "consent_withdrawn_at": moment_text(student.consent_withdrawn_at),
            "face_encodings": student.gallery_encodings,
            "face_encodings_changed_at": moment_text(student.gallery_updated_at),
            "recognisable_since": moment_text(student.recognisable_since),
        }


def _consent(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(ConsentChange).options(joinedload(ConsentChange.account))
    for change in each(db, query.where(ConsentChange.student_id == student_id).order_by(ConsentChange.id)):
        yield {
            "change": change.kind,
            "happened_at": moment_text(change.happened_at),
            "recorded_at": moment_text(change.recorded_at),
            "means": change.means,
            "recorded_through": change.recorder,
            "recorded_by": name_of(change.account),
        }


def _proposals(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(PhotoProposal).options(joinedload(PhotoProposal.decided_by))
    for photo in each(db, query.where(PhotoProposal.student_id == student_id).order_by(PhotoProposal.id)):
        yield {
            "file": photo.file_name,
            "proposed_at": moment_text(photo.proposed_at),
            "state": photo.state,
            "decided_at": moment_text(photo.decided_at),
            "decided_by": name_of(photo.decided_by),
            "reason": photo.reason,
        }


def _gallery(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    query = sa.select(GalleryJob).options(joinedload(GalleryJob.requested_by))
    for job in each(db, query.where(GalleryJob.index_number == number).order_by(GalleryJob.id)):
        yield {
            "work": job.kind,
            "state": job.state,
            "asked_for_at": moment_text(job.requested_at),
            "asked_for_by": name_of(job.requested_by),
            "ended_at": moment_text(job.finished_at),
            # Without details: they may name whom a photo is like.
            "photos": ", ".join(f"{line.get('photo')}: {line.get('outcome')}" for line in job.report or []) or None,
        }


def _erasures(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    query = sa.select(Erasure).options(joinedload(Erasure.requested_by)).where(Erasure.index_number == number)
    for erasure in each(db, query.order_by(Erasure.id)):
        yield {
            "kind": erasure.kind,
            "asked_for_at": moment_text(erasure.requested_at),
            "asked_for_by": name_of(erasure.requested_by) or erasure.recorder,
            "ended_at": moment_text(erasure.finished_at),
        }


def _mail(db: Session, student_id: int) -> Iterator[Row]:
    address = sa.select(Student.email).where(Student.id == student_id).scalar_subquery()
    for mail in each(db, sa.select(QueuedMail).where(QueuedMail.recipient == address).order_by(QueuedMail.id)):
        yield {
            "kind": mail.kind,
            "to": mail.recipient,
            "state": mail.state,
            "asked_for_at": moment_text(mail.queued_at),
            "ended_at": moment_text(mail.ended_at),
        }


def _feeds(db: Session, student_id: int) -> Iterator[Row]:
    for feed in each(db, sa.select(CalendarFeed).where(CalendarFeed.student_id == student_id)):
        yield {"made_at": moment_text(feed.made_at), "last_read_at": moment_text(feed.used_at)}


def _sign_ins(db: Session, student_id: int) -> Iterator[Row]:
    for made in each(db, sa.select(SignIn).where(SignIn.student_id == student_id).order_by(SignIn.id)):
        yield {
            "signed_in_at": moment_text(made.made_at),
            "last_used_at": moment_text(made.used_at),
            "ends_at": moment_text(made.expires_at),
            "browser": made.browser,
            "address": made.address,
            "through": "link" if made.identity_id is None else "provider",
        }


def _identities(db: Session, student_id: int) -> Iterator[Row]:
    query = sa.select(ProviderIdentity).where(ProviderIdentity.student_id == student_id)
    for identity in each(db, query.order_by(ProviderIdentity.id)):
        yield {
            "provider": identity.issuer,
            "known_there_as": identity.subject,
            "bound_at": moment_text(identity.linked_at),
            "last_used_at": moment_text(identity.used_at),
        }


def _other_systems(db: Session, student_id: int) -> Iterator[Row]:
    """What other systems call the student, and the rates that they were told."""
    query = sa.select(ExternalIdentity).where(ExternalIdentity.student_id == student_id).order_by(ExternalIdentity.id)
    for identity in each(db, query):
        yield {
            "system": identity.system,
            "what": identity.external_id,
            "course": None,
            "percent": None,
            "at": moment_text(identity.noted_at),
        }
    told = sa.select(LtiRate, LtiCourse).join(LtiCourse, LtiCourse.id == LtiRate.lti_course_id)
    for rate, course in db.execute(told.where(LtiRate.student_id == student_id).order_by(LtiRate.lti_course_id)):
        yield {
            "system": course.deployment.platform.name,
            "what": None,
            "course": course.label or course.title,
            "percent": rate.percent,
            "at": moment_text(rate.sent_at),
        }


def _calendar_notes(db: Session, student_id: int) -> Iterator[Row]:
    """Where a note names the student: not the note, which may name others."""
    student = db.get_one(Student, student_id)
    for calendar, _ in calendars_naming(db, [student.index_number], whole_words=True):
        yield {
            "calendar": calendar.name,
            "says": gettext("You are expected in two sessions at once."),
            "read_at": moment_text(calendar.fetched_at or calendar.applied_at),
        }


def _log(db: Session, student_id: int) -> Iterator[Row]:
    number = sa.select(Student.index_number).where(Student.id == student_id).scalar_subquery()
    # Whoever was added later is somebody else: SQLite gives the id of the last account that was deleted anew.
    whose = sa.and_(Account.id == AuditEntry.account_id, Account.created_at <= AuditEntry.happened_at)
    query = sa.select(AuditEntry, Account.name).outerjoin(Account, whose)
    query = query.where(AuditEntry.student == number).order_by(AuditEntry.happened_at, AuditEntry.id)
    for entry, who in db.execute(query.execution_options(yield_per=AT_ONCE)):
        own = entry.actor_kind is ActorKind.STUDENT
        yield {
            "happened_at": moment_text(entry.happened_at),
            "what": entry.action,
            "by": gettext("you") if own else who,
            "about": entry.subject,
            # Where others were is theirs.
            "from_address": entry.address if own else None,
        }


PERSON_TABLES = (
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
        "consent",
        lazy_gettext("Every change of your consent."),
        ("change", "happened_at", "recorded_at", "means", "recorded_through", "recorded_by"),
        _consent,
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
        "calendar-feed",
        lazy_gettext("The secret address at which your calendar program reads your sessions, without the secret."),
        ("made_at", "last_read_at"),
        _feeds,
    ),
    OwnTable(
        "calendar-notes",
        lazy_gettext("Calendars of the timetable on which a note names you."),
        ("calendar", "says", "read_at"),
        _calendar_notes,
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
        ("signed_in_at", "last_used_at", "ends_at", "browser", "address", "through"),
        _sign_ins,
    ),
    OwnTable(
        "university-sign-in",
        lazy_gettext("As whom your university's own sign-in knows you, since you first came from there."),
        ("provider", "known_there_as", "bound_at", "last_used_at"),
        _identities,
    ),
    OwnTable(
        "log",
        lazy_gettext("What was done to you and by you, as the audit log has it."),
        ("happened_at", "what", "by", "about", "from_address"),
        _log,
    ),
    OwnTable(
        "other-systems",
        lazy_gettext("What other systems of the university call you here, and the attendance that they were told."),
        ("system", "what", "course", "percent", "at"),
        _other_systems,
    ),
)  # fmt: skip
