"""Whoever is deleted is in no table any more: asked of every column of the whole database, and of every table."""

import json
import zlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from attendance.database.consent import BY_COMMAND
from attendance.database.engine import begin_writing
from attendance.database.mail import queue_mail
from attendance.database.models import (
    Account,
    AuditAction,
    AuditEntry,
    Base,
    EventKind,
    FileContent,
    ImportedFile,
    ImportedFilePart,
    KeptAnswer,
    QueuedMail,
    Student,
    TimetableCalendar,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
    utc_now,
)
from attendance.database.outgoing.events import add_event
from attendance.database.outgoing.mentions import events_about
from attendance.database.upkeep.erasure import calendars_naming, delete_account, delete_student
from attendance.texts import english
from tests.attendance.database.full_database import fill
from tests.factories import make_lecturer, make_student

NUMBER, NAME, EMAIL = "q-4711-x", 'Quirina "Q" Żmuda', "quirina@example.edu"
MARKS = (NUMBER, NAME, EMAIL, json.dumps(NAME)[1:-1], json.dumps(NAME, ensure_ascii=False)[1:-1])

# What becomes of a deleted student, or account, in the tables that do not refer to them by a key. Of a new table it is
# decided here, once somebody has thought of it.
NOBODY = "holds nothing of a student and nothing of an account"
BY_PARENT = "goes with the row that it belongs to, which refers to the person"
FORGOTTEN = "is searched for the person by the erasure"
DECIDED_OF_STUDENTS = {
    "queued_mail": FORGOTTEN,
    "webhook_event": FORGOTTEN,
    "webhook_delivery": BY_PARENT,
    "timetable_calendar": FORGOTTEN,
    "imported_file": FORGOTTEN,
    "imported_file_part": BY_PARENT,
    "gallery_job": FORGOTTEN,
    "gallery_job_photo": BY_PARENT,
    "audit_entry": "keeps what was done, and not to whom",
    "erasure": "names the number until every service has acknowledged",
    "erasure_acknowledgement": BY_PARENT,
    "sign_in_attempt": "holds keyed digests, for a day",
    "spent_answer": "holds digests, for as long as an answer could be believed",
    "lti_nonce": "holds digests, for as long as a launch could be believed",
    **dict.fromkeys(
        (
            "access_token", "access_token_course", "account", "account_role", "api_token", "camera", "camera_health",
            "class_session", "course", "course_group", "department", "dropped_occurrence", "held_observation",
            "index_version", "lti_course", "lti_deployment", "lti_key", "lti_platform", "lti_registration_address",
            "observation", "password_link",
            "recovery_code", "room", "second_factor", "service", "session_audience", "session_room", "session_series",
            "standing_check", "started_program", "status_label", "student", "teaching_break", "timed_work",
            "webhook_endpoint",
        ),
        NOBODY,
    ),
}  # fmt: skip
DECIDED_OF_ACCOUNTS = {
    "queued_mail": FORGOTTEN,
    "imported_file_part": BY_PARENT,
    "access_token_course": BY_PARENT,
    "kept_answer": FORGOTTEN,
    "audit_entry": "keeps who did what: it is what the log is for, and it goes with its retention",
    "sign_in_attempt": DECIDED_OF_STUDENTS["sign_in_attempt"],
    "spent_answer": DECIDED_OF_STUDENTS["spent_answer"],
    "lti_nonce": DECIDED_OF_STUDENTS["lti_nonce"],
    **dict.fromkeys(
        (
            "account", "api_token", "attendance", "attendance_evidence", "camera", "camera_health", "course",
            "course_group", "course_group_member", "department", "dropped_occurrence", "enrolment",
            "erasure_acknowledgement", "gallery_job_photo", "guest", "index_version", "low_attendance", "lti_course",
            "lti_deployment", "lti_key", "lti_platform", "lti_rate", "observation", "room", "service",
            "session_audience", "session_room", "session_series", "standing_check", "started_program", "status_label",
            "student", "student_link", "teaching_break", "timed_work", "timetable_calendar", "webhook_delivery",
            "webhook_endpoint", "webhook_event",
        ),
        NOBODY,
    ),
}  # fmt: skip


def referring(table: str) -> set[str]:
    """The tables with a key to a table; what becomes of their rows is the key's own rule."""
    return {
        each.name
        for each in Base.metadata.sorted_tables
        if any(key.column.table.name == table for key in each.foreign_keys)
    }


@pytest.mark.parametrize(
    ("table", "decided"),
    [("student", DECIDED_OF_STUDENTS), ("account", DECIDED_OF_ACCOUNTS)],
    ids=["student", "account"],
)
def test_of_every_table_it_is_decided_what_becomes_of_the_person(table, decided):
    every = {each.name for each in Base.metadata.sorted_tables}
    assert every - referring(table) - set(decided) == set(), "decide what a deletion does here, and test it"
    assert set(decided) <= every
    assert set(decided) & referring(table) == set(), "its key decides that"
    for each in Base.metadata.sorted_tables:
        for key in each.foreign_keys:
            if key.column.table.name == table:
                assert key.ondelete in {"CASCADE", "SET NULL"}, (each.name, key.parent.name)
                assert key.parent.nullable or key.ondelete == "CASCADE"


def holding(engine, marks=MARKS):
    """The tables and columns in which a person can be read."""
    found = set()
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for row in connection.execute(sa.select(table)).mappings():
                for column, value in row.items():
                    texts = (
                        [value]
                        if isinstance(value, bytes)
                        else [str(value).encode(), json.dumps(value, default=str).encode()]
                    )
                    if isinstance(value, bytes) and value[:1] == b"\x78":
                        texts.append(zlib.decompress(value))
                    if any(mark.encode() in text for mark in marks for text in texts):
                        found.add(f"{table.name}.{column}")
    return found


def tell_everywhere(db, person_id, uploader, *, of_account=False):
    """Have the person named in all places that no key leads to."""
    own = {"account": person_id} if of_account else {"student": person_id}
    queue_mail(db, kind="x", to="former@example.edu", language=None, key=None, data=own)
    for part in db.scalars(sa.select(ImportedFilePart)):
        part.data = zlib.compress(b"of nobody")
    file = ImportedFile(token="q", account_id=uploader.id, kind="students", file_name="a.csv", report={"notes": [NAME]})
    db.add(file)
    db.flush()
    line = zlib.compress(f"{NUMBER};{NAME};{EMAIL}".encode("utf-16-le" if of_account else "utf-8"))
    db.add(ImportedFilePart(file_id=file.id, content=FileContent.FILE, place=0, data=line))
    (token,) = db.scalars(sa.select(KeptAnswer.token_id)).all()
    stays = db.scalars(sa.select(Student.id).where(Student.id != person_id).limit(1)).first()
    named = NUMBER if not of_account else EMAIL
    for key, text, of_student in (("a", named, None), ("b", "somebody else", None), ("c", named, stays)):
        body = json.dumps({"missing": {"people": [text]}}).encode()
        answer = KeptAnswer(token_id=token, idempotency_key=key, request_hash="7" * 64, status=200, headers={})
        answer.body, answer.student_id = body, of_student
        db.add(answer)


def test_nothing_of_a_deleted_student_is_in_any_table(db, engine):
    fill(db)
    student = db.scalars(sa.select(Student).where(Student.index_number == "s1")).one()
    other = make_student(db, "stays", name="Somebody Who Stays")
    student.index_number, student.name, student.email = NUMBER, NAME, EMAIL
    tell_everywhere(db, student.id, db.scalars(sa.select(Account)).one())
    queue_mail(
        db,
        kind="low_attendance",
        to="l@example.edu",
        language=None,
        key=None,
        data={"course": 1, "students": [student.id]},
    )
    queue_mail(
        db,
        kind="low_attendance",
        to="l@example.edu",
        language=None,
        key=None,
        data={"course": 1, "students": [student.id, other.id]},
    )
    calendar = db.scalars(sa.select(TimetableCalendar)).one()
    calendar.report = {"notes": [english("%(name)s (%(number)s)", name=NAME, number=NUMBER), "a term"]}
    hooks = [hook.id for hook in db.scalars(sa.select(WebhookEndpoint))]
    mine, theirs = ({"student": each.id, "to": "absent"} for each in (student, other))
    for kind, data in (
        (EventKind.AT_RISK, {"course": 1, **mine}),
        (EventKind.STATUS_CHANGED, {"session": 1, "entries": [mine]}),
        (EventKind.STATUS_CHANGED, {"session": 1, "entries": [mine, theirs]}),
        (EventKind.SESSION_CLOSED, {"session": 1, "entries": [{**theirs, "student": int(f"{student.id}0")}]}),
    ):
        add_event(db, kind, data, hooks)
    student_id = student.id
    db.commit()
    before = holding(engine)
    assert {"student.name", "imported_file_part.data", "kept_answer.body", "timetable_calendar.report"} <= before
    assert len(list(events_about(db, student_id))) == 4 - 1 + (student_id == 1)
    assert [each.id for each, _ in calendars_naming(db, [NUMBER], whole_words=True)] == [calendar.id]
    assert list(calendars_naming(db, [NUMBER[:-1] + "xx", NUMBER[2:6] + "9"], whole_words=True)) == []

    db.commit()
    begin_writing(db)
    delete_student(db, db.get_one(Student, student_id), now=utc_now(), recorder=BY_COMMAND)
    db.commit()
    assert holding(engine) == {"erasure.index_number"}, "until the services have acknowledged"
    assert list(events_about(db, student_id)) == []
    told = db.scalars(sa.select(WebhookEvent).order_by(WebhookEvent.id)).all()
    assert [event.data for event in told if event.kind == EventKind.STATUS_CHANGED] == [
        {"session": 1, "entries": [theirs]}
    ]
    assert [event.data["entries"][0]["student"] for event in told if event.kind == EventKind.SESSION_CLOSED] == [
        student_id * 10
    ]
    assert {row.event_id for row in db.scalars(sa.select(WebhookDelivery))} == {event.id for event in told}
    mails = db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == "low_attendance")).all()
    assert [mail.data["students"] for mail in mails] == [[other.id]]
    assert db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == "x")).all() == []
    assert db.scalars(sa.select(KeptAnswer.idempotency_key)).all() == ["b"]
    assert db.get_one(TimetableCalendar, calendar.id, populate_existing=True).report == {"notes": ["a term"]}


def test_nothing_of_a_deleted_account_is_in_any_table_but_the_log(db, engine):
    fill(db)
    account, boss = db.scalars(sa.select(Account)).one(), make_lecturer(db, email="boss@example.edu")
    account.name, account.email = NAME, EMAIL
    tell_everywhere(db, account.id, boss, of_account=True)
    tokens = db.scalars(sa.select(KeptAnswer.token_id)).all()
    db.commit()
    assert tokens
    begin_writing(db)
    delete_account(db, account, actor=boss.id)
    db.commit()
    assert holding(engine) <= {"audit_entry.actor", "audit_entry.subject"}
    assert db.scalars(sa.select(QueuedMail).where(QueuedMail.kind == "x")).all() == []
    deleted = db.scalars(sa.select(AuditEntry).where(AuditEntry.action == AuditAction.ACCOUNT_DELETED)).one()
    assert (deleted.subject, deleted.actor) == (EMAIL, "boss@example.edu")


def test_whoever_gets_the_number_of_a_row_next_is_told_nothing_of_the_one_before(db):
    hook = WebhookEndpoint(name="h", url="https://example.edu", secret="whsec_AA==", events=["student.at_risk"])
    student = make_student(db, "before")
    db.add(hook)
    db.flush()
    add_event(db, EventKind.AT_RISK, {"course": 1, "student": student.id}, [hook.id], now=utc_now() - timedelta(days=1))
    number = student.id
    db.commit()
    begin_writing(db)
    delete_student(db, student, now=utc_now(), recorder=BY_COMMAND)
    following = make_student(db, "after")
    if db.get_bind().dialect.name == "sqlite":
        assert following.id == number
    assert list(events_about(db, following.id)) == []
    assert db.scalars(sa.select(WebhookEvent)).all() == []
