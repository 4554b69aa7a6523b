"""Erasing a student from the database, and asking everybody else to: the promises of a withdrawal and of a deletion.

After a *withdrawal* no encoding, photo or evidence is kept. The register itself stays: it is the university's. After a
*deletion* no name and no number is kept either. Pages, imports and commands come here; what is asked for becomes a row
(`erasure_requests`), which the gallery's worker and every recognition service carry out.
"""

import json
import re
import zlib
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, sessionmaker, undefer

from attendance.database.audit.forgetting import forget_student
from attendance.database.audit.noting import Actor, note
from attendance.database.consent import BY_COMMAND, Recorder, actor_of, take_consent_away
from attendance.database.engine import begin_writing
from attendance.database.mail import forget_recipient
from attendance.database.models import (
    DELETED_STUDENT,
    Account,
    AttendanceEvidence,
    AuditAction,
    ErasureKind,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    Guest,
    HeldSighting,
    ImportedFile,
    ImportedFilePart,
    JobState,
    KeptAnswer,
    PhotoProposal,
    Student,
    TimetableCalendar,
)
from attendance.database.outgoing.mentions import forget_account_in_queues, forget_student_in_queues
from attendance.database.upkeep.erasure_requests import forget_number, is_being_erased, request_erasure
from attendance.texts import english

_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "cp1252")
"""In which a file to be imported may hold a name."""


def withdraw(
    sessions: sessionmaker[Session], index_number: str, *, now: datetime, asked_at: datetime | None = None
) -> bool:
    """Record that a student's consent is withdrawn, and remove evidence and photos, proposed or taken to be enrolled.

    Args:
        sessions: makes sessions of the database.
        index_number: the student's.
        now: aware; kept when the withdrawal was recorded before.
        asked_at: when it was asked for, where that is a while ago: a student who was added later is somebody else, or
            begins anew, under a number that has become free.

    Returns:
        Whether the database knows the student.
    """
    with sessions.begin() as db:
        begin_writing(db)
        student = withdraw_within(db, index_number, now=now, recorder=BY_COMMAND, asked_at=asked_at)
        if student is not None:
            student.gallery_encodings, student.gallery_updated_at = 0, now
        return student is not None


def withdraw_within(
    db: Session, index_number: str, *, now: datetime, recorder: Recorder, asked_at: datetime | None = None
) -> Student | None:
    """What `withdraw` does to the database, in a transaction of the caller's; what the gallery holds is as before.

    `recorder` says who withdraws it.

    Returns:
        The student, or None if the database knows none of that number.
    """
    # The row first: who keeps evidence holds it until the commit (see `record_evidence`), so that none comes after.
    student = db.scalars(
        sa.select(Student)
        .where(Student.index_number == index_number)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    _remove_photos(db, index_number, now)
    _remove_from_reports(db, index_number)
    if student is None or (asked_at is not None and student.created_at > asked_at):
        return None
    db.execute(sa.delete(AttendanceEvidence).where(AttendanceEvidence.student_id == student.id))
    db.execute(sa.delete(HeldSighting).where(HeldSighting.student_id == student.id))
    db.execute(sa.delete(Guest).where(Guest.student_id == student.id))
    db.execute(sa.delete(PhotoProposal).where(PhotoProposal.student_id == student.id))
    student.recognisable_since = None
    take_consent_away(db, student, now=now, recorder=recorder)
    return student


def withdraw_and_erase(db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None:
    """Withdraw a student's consent, and ask everybody for the rest, in the caller's transaction.

    Said again while the student is being erased it changes nothing.

    Args:
        db: begun with `begin_writing`.
        student: the row, as it is now.
        now: aware.
        recorder: who withdraws it.
    """
    withdraw_within(db, student.index_number, now=now, recorder=recorder)
    if not is_being_erased(db, student.index_number):
        request_erasure(db, student.index_number, kind=ErasureKind.WITHDRAWAL, now=now, recorder=recorder)


def delete_student(db: Session, student: Student, *, now: datetime, recorder: Recorder) -> None:
    """Delete a student with every trace in the registers, and ask everybody else for the rest.

    Links, consent with its history, proposed photos, entries called wrong, mail to the student, what webhooks tell of
    the student, what the gallery was asked, files being imported and answers kept for programs that name the student,
    and notes on calendars that do go along, all in the caller's transaction. The audit log keeps what was done, and not
    to whom.

    Args:
        db: begun with `begin_writing`.
        student: the row.
        now: aware.
        recorder: who deletes.
    """
    withdraw_within(db, student.index_number, now=now, recorder=recorder)
    if student.email is not None:
        forget_recipient(db, student.email)
    told = [text for text in (student.index_number, student.name, student.email) if text]
    forget_student_in_queues(db, student.id)
    db.execute(sa.delete(Student).where(Student.id == student.id))
    forget_index_number(db, student.index_number, told)
    db.flush()
    forget_student(db, student.index_number)
    note(db, AuditAction.STUDENT_DELETED, actor=actor_of(recorder), student=DELETED_STUDENT)
    request_erasure(db, student.index_number, kind=ErasureKind.DELETION, now=now, recorder=recorder)


def forget_index_number(db: Session, index_number: str, told: Collection[str]) -> None:
    """Delete what names a student who is no longer kept, or a number that is nobody's any more.

    Erasures under way go on naming it: they need it, and let go of it when they are finished.

    Args:
        db: begun with `begin_writing`.
        index_number: the student's.
        told: texts that name the student, of which files being imported may hold one.
    """
    db.execute(sa.delete(GalleryJob).where(GalleryJob.index_number == index_number))
    forget_number(db, index_number)
    _remove_from_files_and_answers(db, told)
    _remove_from_calendars(db, told)


def delete_account(db: Session, account: Account, *, actor: Actor | int | None) -> None:
    """Delete an account, with all that is kept of the person beside the audit log.

    Corrections stay, without a name; the audit log keeps who did what, by the address.

    Args:
        db: begun with `begin_writing`.
        account: the row.
        actor: who deletes.
    """
    forget_recipient(db, account.email)
    forget_account_in_queues(db, account.id)
    note(db, AuditAction.ACCOUNT_DELETED, actor=actor, subject=account.email)
    told = [account.email, account.name]
    db.execute(sa.delete(Account).where(Account.id == account.id))
    _remove_from_files_and_answers(db, told)


def _remove_from_files_and_answers(db: Session, told: Collection[str]) -> None:
    """Delete files being imported, and answers kept for programs, that hold one of these texts."""
    needles = _needles(told)
    holding = [file_id for file_id, text in _imported_texts(db) if any(needle in text for needle in needles)]
    db.execute(sa.delete(ImportedFile).where(ImportedFile.id.in_(holding)))
    # Also those that go with one student: they may name another, whose number is alike, or who corrected.
    there = sa.or_(sa.false(), *(sa.func.instr(KeptAnswer.body, needle) > 0 for needle in sorted(needles)))
    naming = db.scalars(sa.select(KeptAnswer.id).where(there)).all()
    db.execute(sa.delete(KeptAnswer).where(KeptAnswer.id.in_(naming)))


def _needles(told: Collection[str]) -> set[bytes]:
    """As what a file or an answer may hold texts: in whatever encoding, or as JSON writes them in ASCII."""
    written = {text.encode(encoding, "ignore") for text in told for encoding in _ENCODINGS}
    quoted = {json.dumps(text, ensure_ascii=ascii_)[1:-1].encode() for text in told for ascii_ in (True, False)}
    return (written | quoted) - {b""}


def calendars_naming(
    db: Session, told: Collection[str], *, whole_words: bool = False
) -> Iterator[tuple[TimetableCalendar, list[Any]]]:
    """The calendars whose notes name a student, who is expected in two places at once, and the notes that do not.

    Args:
        db: any session.
        told: texts that name the student.
        whole_words: whether a number within a longer one does not count: too few, rather than too many.
    """
    edge = r"\b" if whole_words else ""
    needles = [re.compile(edge + re.escape(json.dumps(text, ensure_ascii=False)[1:-1]) + edge) for text in told]
    query = sa.select(TimetableCalendar).where(TimetableCalendar.report.is_not(None)).order_by(TimetableCalendar.id)
    fresh = query.options(undefer(TimetableCalendar.report)).execution_options(populate_existing=True)
    for calendar in db.scalars(fresh).all():
        notes = (calendar.report or {}).get("notes", [])
        said = [(one, json.dumps(one, ensure_ascii=False)) for one in notes]
        others = [note for note, text in said if not any(needle.search(text) for needle in needles)]
        if len(others) < len(notes):
            yield calendar, others


def _remove_from_calendars(db: Session, told: Collection[str]) -> None:
    """Delete the notes on calendars that name this student.

    The rest of a report stays, and what waits for a person's word with it: it is the timetable's.
    """
    for calendar, others in calendars_naming(db, told):
        calendar.report = {**(calendar.report or {}), "notes": others}


def _remove_photos(db: Session, index_number: str, now: datetime) -> None:
    """Delete photos on their way into the gallery, end their jobs, and delete what reports say of photos."""
    mine = sa.select(GalleryJob.id).where(
        GalleryJob.index_number == index_number, GalleryJob.kind == GalleryJobKind.ENROL
    )
    jobs = db.scalars(mine).all()  # read first: MariaDB refuses to update what the same statement selects from
    db.execute(sa.delete(GalleryJobPhoto).where(GalleryJobPhoto.job_id.in_(jobs)))
    db.execute(sa.update(GalleryJob).where(GalleryJob.id.in_(jobs)).values(report=sa.null()))
    db.execute(
        sa.update(GalleryJob)
        .where(GalleryJob.id.in_(jobs), GalleryJob.state.in_((JobState.WAITING, JobState.WORKING)))
        .values(state=JobState.FAILED, finished_at=now, message=english("The student was erased meanwhile."))
    )


def _remove_from_reports(db: Session, index_number: str) -> None:
    """Delete what reports on others' photos say of this student, to whom such a photo was near."""
    said = json.dumps(index_number)
    query = sa.select(GalleryJob).where(
        GalleryJob.report.is_not(None), sa.type_coerce(GalleryJob.report, sa.Text).contains(said, autoescape=True)
    )
    for job in db.scalars(query):
        job.report = [
            line | {"detail": "", "other": None} if line.get("other") == index_number else line
            for line in job.report or []
        ]


def _imported_texts(db: Session) -> Iterator[tuple[int, bytes]]:
    """What files being imported hold, and their reports, one text after the other; they are few, and kept for a day."""
    for file in db.scalars(sa.select(ImportedFile).order_by(ImportedFile.id)).all():
        yield file.id, json.dumps([file.file_name, file.report], ensure_ascii=False).encode()
        parts = sa.select(ImportedFilePart.content, ImportedFilePart.data).where(ImportedFilePart.file_id == file.id)
        contents: dict[str, list[bytes]] = {}
        for content, data in db.execute(parts.order_by(ImportedFilePart.content, ImportedFilePart.place)):
            contents.setdefault(content, []).append(zlib.decompress(data))
        yield from ((file.id, b"".join(pieces)) for pieces in contents.values())
