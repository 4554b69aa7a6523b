"""A database with a row in every table, and what is in it."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from attendance.database.access.access_tokens import NewToken, make_access_token
from attendance.database.access.identities import Subject, bind, spend
from attendance.database.access.sign_ins import Browser, ThroughProvider, begin_sign_in
from attendance.database.audit.noting import note
from attendance.database.corrections import correct_status
from attendance.database.models import (
    Account,
    AccountRole,
    ApiToken,
    AttendanceEvidence,
    AuditAction,
    Base,
    CalendarFeed,
    Camera,
    CameraHealth,
    ClassSession,
    ConsentChange,
    ConsentKind,
    ConsentRecorder,
    Course,
    Department,
    Dispute,
    DroppedOccurrence,
    Erasure,
    ErasureAcknowledgement,
    ErasureKind,
    Excuse,
    ExternalIdentity,
    ExternalKind,
    FeedKind,
    FileContent,
    GalleryJob,
    GalleryJobKind,
    GalleryJobPhoto,
    Guest,
    HeldObservation,
    HeldReason,
    HeldSighting,
    ImportedFile,
    ImportedFilePart,
    IndexVersion,
    KeptAnswer,
    LabelColour,
    LowAttendance,
    LtiCourse,
    LtiDeployment,
    LtiKey,
    LtiMatching,
    LtiNonce,
    LtiPlatform,
    LtiRate,
    LtiRegistrationAddress,
    Observation,
    Origin,
    PasswordLink,
    PhotoProposal,
    QueuedMail,
    QueueState,
    RecoveryCode,
    Role,
    SecondFactor,
    SeriesOrigin,
    Service,
    SessionSeries,
    SignInAttempt,
    StandingCheck,
    StartedProgram,
    Status,
    StatusLabel,
    Student,
    StudentLink,
    TeachingBreak,
    TimedWork,
    TimetableCalendar,
    TokenRole,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from attendance.database.register import Sighting, record_sighting
from attendance.texts import english
from attendance.zones import Zones, dump
from tests.factories import NINE, enrol, make_course, make_group, make_lecturer, make_room, make_session, make_student


def fill(db: Session) -> None:
    """Add rows to every table, with what databases treat differently: scripts, microseconds, bytes, nothing."""
    lecturer, institute = make_lecturer(db, role=Role.ADMIN), Department(name="Институт \U0001f393")
    course = make_course(db, lecturers=(lecturer,), department=institute)
    db.add(AccountRole(account_id=lecturer.id, role=Role.DEPARTMENT, department_id=institute.id, from_provider=True))
    lecturer.last_sign_in_at = NINE.replace(microsecond=1)
    lecturer.picture = bytes(range(256)) * 400
    student = make_student(db, "s1", name="Zoë Łuczak 学生 🎓 \\ ' \"")
    enrol(db, course, student, make_student(db, "S1"))
    group = make_group(db, course, "Übung 1", members=(student,))
    session = make_session(db, course, group=group, also_for=(make_course(db),), also_in=(make_room(db),))
    series = SessionSeries(uid="ü@university", external=True, origin=SeriesOrigin.FILE, course_id=course.id)
    db.add_all([series, TeachingBreak(first_day=date(2026, 12, 24), last_day=date(2027, 1, 6), name="❄")])
    db.flush()
    db.add(DroppedOccurrence(series_id=series.id, planned_at=NINE.replace(microsecond=3)))
    session.series_id, session.planned_at, session.changed_by_id = series.id, NINE, lecturer.id
    session.cancelled_reason, session.note = "ill", "read chapter 3"
    db.add(Guest(session_id=session.id, student_id=student.id, first_seen=NINE, last_seen=NINE, confidence=1 / 3))
    camera = _fill_cameras(db, session)
    db.add(ApiToken(name="t", role=TokenRole.MONITORING, token_hash="1" * 64))
    db.add(IndexVersion(version="v1", model="m", identities=1, encodings=2, sha256="2" * 64))
    job = GalleryJob(kind=GalleryJobKind.ENROL, index_number="s1", report=[{"photo": "a.jpg", "outcome": "ok"}])
    job.photos.append(GalleryJobPhoto(file_name="a.jpg", content=b"\x00\xff'\\"))
    db.add(job)
    db.add(PasswordLink(account_id=lecturer.id, token_hash="3" * 64, expires_at=NINE.replace(microsecond=5)))
    _fill_own_page(db, student, session, lecturer)
    _fill_sign_ins(db, student, lecturer)
    _fill_interface(db, student, course, lecturer)
    db.add(SignInAttempt(account="a" * 32, address="b" * 32, tried_at=NINE.replace(microsecond=9), failed=True))
    db.flush()
    file = ImportedFile(token="t", account_id=lecturer.id, kind="students", file_name="ü.csv", report={"lines": 1})
    file.together = "t"
    db.add(file)
    db.flush()
    db.add(ImportedFilePart(file_id=file.id, content=FileContent.FILE, place=0, data=bytes(range(256)) * 1_000))
    db.add(
        QueuedMail(kind="weekly_summary", recipient="ü@a.org", language="fr", key="k", data={"account": 1, "ü": None})
    )
    _fill_webhooks(db, institute)
    _fill_calendars(db, student, series)
    db.add(LowAttendance(course_id=course.id, student_id=student.id, noted_at=NINE.replace(microsecond=2)))
    db.add(TimedWork(name="weekly_summary", done_for=NINE))
    course.attendance_threshold = 80
    record_sighting(db, Sighting(session.id, "s1", NINE, NINE, 1 / 3, camera.id))
    medical = _fill_labels(db, course)
    db.flush()
    correct_status(
        db,
        session_id=session.id,
        student_id=student.id,
        status=Status.EXCUSED,
        label_id=medical.id,
        reason="ill",
        account_id=lecturer.id,
    )
    db.add(
        Excuse(student_id=student.id, starts_at=NINE, ends_at=session.ends_at, reason="ü", created_by_id=lecturer.id)
    )
    _fill_held(db, student, session, camera, lecturer)
    _fill_other_systems(db, course, student, lecturer)
    db.commit()


def _fill_other_systems(db: Session, course: Course, student: Student, lecturer: Account) -> None:
    platform = LtiPlatform(name="Moodle ü", issuer="https://moodle.example", client_id="ü1", matching=LtiMatching.EMAIL)
    platform.keys_url = platform.authorisation_url = platform.token_url = "https://moodle.example/ü"
    platform.frame_origins, platform.waiting, platform.active = "https://school.example", True, False
    expires_at = NINE.replace(microsecond=4)
    db.add(LtiRegistrationAddress(account_id=lecturer.id, token_hash="7" * 64, expires_at=expires_at))
    platform.deployments = [LtiDeployment(external_id="7")]
    db.add(platform)
    db.flush()
    linked = LtiCourse(deployment_id=platform.deployments[0].id, external_id="c1", label="ü", title="\U0001f393")
    linked.course_id, linked.gives_roles, linked.line_item_url = course.id, True, "https://moodle.example/l?type_id=3"
    linked.rates_sent_at, linked.leased_until, linked.problem = NINE, NINE.replace(microsecond=1), "away"
    db.add(linked)
    db.flush()
    db.add(LtiRate(lti_course_id=linked.id, student_id=student.id, percent=None, sent_at=NINE.replace(microsecond=2)))
    db.add(LtiNonce(nonce_hash="6" * 64, expires_at=NINE.replace(microsecond=3)))
    db.add(LtiKey(kid="k-ü", public={"kty": "RSA", "n": "ü"}, sealed="QUJD" * 2_000, made_at=NINE))
    identity = ExternalIdentity(system="oneroster:ü", kind=ExternalKind.STUDENT, external_id="A1", noted_at=NINE)
    identity.student_id = student.id
    db.add_all(
        [
            identity,
            ExternalIdentity(system="oneroster:ü", kind=ExternalKind.COURSE, external_id="a1", course_id=course.id),
        ]
    )


def _fill_cameras(db: Session, session: ClassSession) -> Camera:
    camera = Camera(name="hall", room_id=session.room_id, token_hash="0" * 64, last_seen_at=NINE.replace(microsecond=7))
    camera.aiming_address = "127.0.0.1:40001"
    camera.zones = dump(Zones(look=(((0, 0), (1, 0), (0.5, 1)),)))
    db.add_all([camera, Camera(name="nowhere")])
    db.flush()
    watched = Observation(camera_id=camera.id, room_id=session.room_id, hour=NINE, counts=bytes(range(200)) * 3)
    watched.watched, watched.watched_live, watched.blind = 2**60 - 1, 1, 2**59
    health = bytes(range(256)) * 6 + bytes(24)
    db.add_all([watched, CameraHealth(camera_id=camera.id, hour=NINE, minutes=health)])
    return camera


def _fill_held(db: Session, student: Student, session: ClassSession, camera: Camera, lecturer: Account) -> None:
    db.add(
        AttendanceEvidence(
            uid="u",
            session_id=session.id,
            student_id=student.id,
            camera_id=camera.id,
            origin=Origin.KEPT,
            threshold=0.55,
            distance=0.1 + 0.2,
            margin=0.1,
            confidence=0.9,
            frames=3,
            first_frame_at=NINE,
            last_frame_at=NINE,
            details=[{"distance": 0.4}],
            held=True,
        )
    )
    held = HeldSighting(
        session_id=session.id, student_id=student.id, camera_id=camera.id, origin=Origin.KEPT, late=True
    )
    held.reasons, held.first_seen, held.last_seen = [HeldReason.SCREEN, HeldReason.LATE], NINE, NINE
    held.confidence, held.arrived_at = 0.1 + 0.2, NINE.replace(microsecond=13)
    minutes = HeldObservation(session_id=session.id, camera_id=camera.id, room_id=session.room_id, hour=NINE)
    minutes.watched, minutes.counts, minutes.accepted = 2**60 - 1, bytes(range(200)) * 3, True
    minutes.answered_at, minutes.answered_by_id = NINE.replace(microsecond=15), lecturer.id
    db.add(minutes)
    held.accepted, held.answer, held.answered_at, held.answered_by_id = False, "ü", NINE, lecturer.id
    db.add(held)
    _fill_log(db, lecturer)


def _fill_log(db: Session, lecturer: Account) -> None:
    check = StandingCheck(name="provider", checked_at=NINE.replace(microsecond=21), failing_since=NINE, changed_at=NINE)
    check.problem, check.found = english("%(a)s ü", a="é"), {"token": "https://login.example.edu/ü"}
    db.add(check)
    note(db, AuditAction.ROLE_GIVEN, actor=lecturer.id, student="s1", subject="ü", details={"ü": 1}, address="::1")
    note(db, AuditAction.SIGN_IN_FAILED, actor=None)
    db.add(StartedProgram(program="dashboard", salt="5" * 32, settings={"ü": "6"}, started_at=NINE))


def _fill_own_page(db: Session, student: Student, session: ClassSession, lecturer: Account) -> None:
    _fill_erasures(db, lecturer)
    student.email, student.language = "zoë@example.edu", "fr"
    db.add(StudentLink(student_id=student.id, token_hash="4" * 64, expires_at=NINE.replace(microsecond=6)))
    given = ConsentChange(student_id=student.id, kind=ConsentKind.GIVEN, happened_at=NINE, means="signed ü")
    given.recorder, given.account_id = ConsentRecorder.ACCOUNT, lecturer.id
    db.add(given)
    db.add(PhotoProposal(student_id=student.id, file_name="ü.jpg", content=b"\x00\xff'\\", proposed_at=NINE))
    db.add(Dispute(session_id=session.id, student_id=student.id, claimed=Status.PRESENT, text="I was there \U0001f393"))


def _fill_erasures(db: Session, lecturer: Account) -> None:
    asked = {"recorder": ConsentRecorder.ACCOUNT, "requested_by_id": lecturer.id, "message": "ü"}
    erasure = Erasure(kind=ErasureKind.WITHDRAWAL, index_number="s1", requested_at=NINE, **asked)
    erasure.leased_until, erasure.shared_at = NINE.replace(microsecond=1), NINE.replace(microsecond=2)
    service = Service(name="hall-é:50051", first_seen_at=NINE, last_seen_at=NINE.replace(microsecond=3))
    service.address, service.index_version = "10.20.0.5:50061", "000012-20260301T080000Z-5f3a9c01"
    service.index_source, service.index_problem, service.outbox_depth = "main:50051", "café does not answer", 7
    db.add_all([erasure, service, Erasure(kind=ErasureKind.DELETION, recorder=ConsentRecorder.COMMAND)])
    db.flush()
    db.add(ErasureAcknowledgement(erasure_id=erasure.id, service_id=service.id, done_at=NINE.replace(microsecond=4)))


def _fill_sign_ins(db: Session, student: Student, lecturer: Account) -> None:
    now, lifetime = NINE.replace(microsecond=13), timedelta(hours=12)
    begin_sign_in(db, lecturer, now=now, lifetime=lifetime, browser=Browser("2001:db8:1:2::/64", "Firefox, Linux"))
    assert spend(db, "https://login.example.edu", "ü", now=now, expires_at=now + lifetime)
    for person in (lecturer, student):
        whom = Subject("https://login.example.edu/réalm", "248289761001")
        identity = bind(db, whom, person, now=now, keep_password=True)
        through = ThroughProvider(identity, session="ü-1", id_token="e30.e30.c2ln")
        begin_sign_in(db, person, now=now, lifetime=lifetime, through=through)
    factor = SecondFactor(account_id=lecturer.id, secret="A" * 32, confirmed_at=now, last_step=2**31)
    factor.next_secret, factor.next_made_at = "B" * 32, now
    db.add_all([factor, RecoveryCode(account_id=lecturer.id, code_hash="5" * 64)])


def _fill_interface(db: Session, student: Student, course: Course, lecturer: Account) -> None:
    new = NewToken("Système du campus", ("read", "correct"), [course], timedelta(days=1))
    token, _ = make_access_token(db, lecturer, new, now=NINE.replace(microsecond=6))
    token.last_used_at, token.last_address, token.minute = NINE, "2001:db8:1:2::/64", 2**40
    asked = {"token_id": token.id, "idempotency_key": "k", "request_hash": "6" * 64, "student_id": student.id}
    db.add(KeptAnswer(**asked, begun_at=NINE, status=200, headers={"ETag": '"é"'}, body=b"\x00\xff'"))


def _fill_calendars(db: Session, student: Student, series: SessionSeries) -> None:
    term = {"first_day": NINE.date(), "last_day": date(2027, 1, 31), "waiting": bytes(range(256)), "report": {"ü": 1}}
    calendar = TimetableCalendar(name="Ü", url="https://example.edu/ü.ics", course_id=series.course_id, **term)
    calendar.next_fetch_at, calendar.problem = NINE.replace(microsecond=19), english("%(a)s ü", a="é")
    db.add(calendar)
    db.flush()
    series.calendar_id = calendar.id
    feed = CalendarFeed(kind=FeedKind.STUDENT, student_id=student.id, token_hash="6" * 64, used_at=NINE)
    db.add(feed)


def _fill_webhooks(db: Session, institute: Department) -> None:
    of = {"events": ["student.at_risk"], "department_id": institute.id}
    hook = WebhookEndpoint(name="Ü", url="https://example.edu/ü", secret="whsec_AA==", former_secret="whsec_BB==", **of)
    hook.former_until, hook.off_at, hook.off_reason = NINE.replace(microsecond=17), NINE, english("%(a)s ü", a="é")
    event = WebhookEvent(uid="evt_1", kind="student.at_risk", key="k", data={"student": 1, "rate": 33.3})
    db.add_all([hook, event])
    db.flush()
    db.add(WebhookDelivery(event_id=event.id, endpoint_id=hook.id, answer=503, state=QueueState.FAILED, ended_at=NINE))


def _fill_labels(db: Session, course: Course) -> StatusLabel:
    label = StatusLabel(course_id=course.id, kind=Status.LATE, name="à distance", letter="Ù", colour=LabelColour.TEAL)
    label.weight, label.retired_at = 1 / 3, NINE.replace(microsecond=11)
    medical = StatusLabel(kind=Status.EXCUSED, name="医療", letter="医", colour=LabelColour.PINK)
    db.add_all([label, medical])
    return medical


def rows_of(engine: sa.Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table; none of them empty."""
    with engine.connect() as connection:
        rows = {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in Base.metadata.sorted_tables
        }
    return rows
