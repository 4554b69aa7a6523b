"""The course of the demo: pictures, database, enrolment, index, programs, and the register at the end."""

import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy.orm import Session, sessionmaker

from attendance.database.access.tokens import new_token
from attendance.database.engine import create_database_engine, session_factory, upgrade
from attendance.errors import AttendanceError
from attendance.models_in_use import models_in_use
from attendance.settings import load_settings
from attendance.settings.files import FILE_NAME
from operations.demo.classroom import write_frames, write_photos
from operations.demo.dashboard import Dashboard
from operations.demo.held_photo import hold_up_photo
from operations.demo.people import (
    CLASS_ABSENT,
    CLASS_FRAMES_PER_SECOND,
    CLASS_LENGTH_S,
    CLASS_ON_TIME,
    CLASS_VISIBLE,
    GRACE_MINUTES,
    LATE,
    ROSTER,
    UNRECOGNISABLE,
)
from operations.demo.pictures import fetch_pictures
from operations.demo.programs import Programs, free_port
from operations.demo.university import (
    ADMIN_EMAIL,
    CAMERA_NAME,
    HEAD_EMAIL,
    LECTURER_EMAIL,
    Passwords,
    found_university,
    schedule_session,
)

Tell = Callable[[str], None]

_MARK = "made-by-attendance-demo"
_ONCE_ENDS_IN_S = 25
_LIVE_LASTS = timedelta(minutes=7)


class DemoError(AttendanceError):
    """The demo could not run; the message says why."""


def run_demo(folder: Path, *, once: bool, tell: Tell) -> bool:
    """Run the demo.

    Args:
        folder: where it keeps its files; an earlier demo's files there are removed.
        once: run one class session through and stop; otherwise run until Ctrl-C.
        tell: told in one line what happens.

    Returns:
        With `once`, whether exactly the right people are on the register; otherwise True.

    Raises:
        DemoError: the folder is not the demo's.
        PicturesError: the pictures cannot be had.
        ProgramError: a program ended or did not answer.
        DashboardError: the dashboard did not answer as it should.
    """
    try:
        return _Demo(folder.absolute(), tell).run(once=once)
    except KeyboardInterrupt:
        tell("\nStopped.")
        return True


def is_right(rows: list[dict[str, str]], tell: Tell) -> bool:
    """Print the register and judge it.

    Args:
        rows: the dashboard's export of the register, a mapping a student.
        tell: told the register line by line, then the verdict.

    Returns:
        Whether everybody on the roster has the right status and nobody else is there.
    """
    expected = {person.name: "present" for person in CLASS_ON_TIME}
    expected |= {person.name: "late" for person in LATE}
    expected |= {person.name: "absent" for person in CLASS_ABSENT}
    expected |= {person.name: "not recorded" for person in UNRECOGNISABLE}
    found = {row["Student"]: row["Status"].lower() for row in rows}
    tell("\nRegister of CS101, as the dashboard serves it:\n")
    for row in rows:
        seen = f"first seen {row['First seen']}" if row["First seen"] else "not seen"
        tell(f"    {row['Index number']:<8} {row['Student']:<18} {row['Status']:<12} {seen}")
    if found == expected:
        tell("\nExactly the right people are present: everybody on the roster who came, and nobody else.")
        return True
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            tell(f"WRONG: {name} is {found.get(name, 'missing')}, not {expected.get(name, 'on this register')}")
    return False


class _Demo:
    def __init__(self, folder: Path, tell: Tell) -> None:
        self._folder = folder
        self._tell = tell
        self._service = f"127.0.0.1:{free_port(50051)}"
        self._web = f"127.0.0.1:{free_port(8000)}"
        self._token, self._recording_token = new_token("cam"), new_token("op")
        self._passwords = Passwords(*(secrets.token_urlsafe(9) for _ in range(3)))
        self._environ = self._settings_of_programs()

    def run(self, *, once: bool) -> bool:
        self._clear()
        self._tell("1/6 Pictures of real faces: enrolment photos and what the camera will see")
        pictures = fetch_pictures(lambda what: self._tell(f"    {what}"))
        self._tell("    The people of this demo are pictures: the check for photos is off until its last act")
        write_photos(pictures, self._folder / "photos")
        write_frames(
            pictures,
            self._folder / "frames",
            people=CLASS_VISIBLE,
            length_s=CLASS_LENGTH_S,
            frames_per_second=CLASS_FRAMES_PER_SECOND,
        )
        models = models_in_use(load_settings(self._environ))
        if models.note:
            self._tell(f"    {models.note}")
        self._tell("2/6 Database with a course, its roster, a lecture room and a camera")
        sessions = self._found()
        with Programs(self._folder / "logs") as programs:
            self._tell("3/6 Enrolling the students from their photos")
            self._finish(programs, "enrolment", ["enrol", str(self._folder / "photos")])
            self._tell_models()
            self._tell("4/6 Building the index of their encodings")
            self._finish(programs, "index", ["index", "build"])
            self._tell("5/6 Starting the recognition service and the dashboard")
            dashboard = self._start_servers(programs)
            self._tell("6/6 Starting the camera")
            if once:
                return self._once(programs, sessions, dashboard) and self._photo(programs, sessions, pictures)
            self._live(programs, sessions, pictures)
        return True

    def _once(self, programs: Programs, sessions: sessionmaker[Session], dashboard: Dashboard) -> bool:
        ends_at = datetime.now(UTC) + timedelta(seconds=_ONCE_ENDS_IN_S)
        first_frame = datetime.now(UTC) - timedelta(seconds=CLASS_LENGTH_S)
        with sessions() as db:
            session_id = schedule_session(db, first_frame=first_frame, ends_at=ends_at)
        self._start_camera(programs, "--as-fast-as-possible", "--start-time", first_frame.isoformat())
        programs.wait_until(
            lambda: programs.has_ended("camera"), "the camera has not sent all its frames", timeout_s=600
        )
        self._tell("    All frames are answered; waiting for the session to end and absences to be written")
        dashboard.sign_in(LECTURER_EMAIL, self._passwords.lecturer)
        programs.wait_until(
            lambda: _complete(dashboard.register(session_id)), "the register is not complete", timeout_s=120
        )
        return is_right(dashboard.register(session_id), self._tell)

    def _photo(self, programs: Programs, sessions: sessionmaker[Session], pictures: Path) -> bool:
        return hold_up_photo(
            programs,
            self._environ,
            sessions,
            folder=self._folder,
            pictures=pictures,
            is_served=lambda: _serves(self._service),
            tell=self._tell,
        )

    def _live(self, programs: Programs, sessions: sessionmaker[Session], pictures: Path) -> None:
        first_frame = datetime.now(UTC)
        with sessions() as db:
            session_id = schedule_session(db, first_frame=first_frame, ends_at=first_frame + _LIVE_LASTS)
        self._start_camera(programs, "--loop")
        late, absent, unknown = LATE[0].name, CLASS_ABSENT[0].name, UNRECOGNISABLE[0].name
        self._tell(f"""
The class has begun. Open the register and watch it fill:

    http://{self._web}/sessions/{session_id}
    sign in as    {LECTURER_EMAIL}   password {self._passwords.lecturer}
    administrator {ADMIN_EMAIL}      password {self._passwords.admin}
    head of the department {HEAD_EMAIL}   password {self._passwords.head}

{late} comes after the grace period, in {GRACE_MINUTES} minutes, and is late. {absent} does not come and turns absent
when the session ends, in {_LIVE_LASTS.seconds // 60} minutes: the room was watched. Of {unknown} nothing is recorded
then: she was never photographed.
A student of another course and a stranger look in for a minute; neither is on it. In an earlier week the camera was
away; your start page asks you to take that register by hand.

As administrator you can enrol somebody: add a student, record the consent, and take photos with this computer's camera.

When the class has ended, somebody holds up a photo.

Logs: {self._folder / "logs"}
Stop with Ctrl-C.""")
        ended = first_frame + _LIVE_LASTS
        programs.wait_until(lambda: datetime.now(UTC) > ended, "", timeout_s=float("inf"))
        programs.stop("camera")
        self._photo(programs, sessions, pictures)
        programs.wait_until(lambda: False, "", timeout_s=float("inf"))

    def _clear(self) -> None:
        if self._folder.exists() and not (self._folder / _MARK).exists() and any(self._folder.iterdir()):
            raise DemoError(f"{self._folder} holds files that no demo made; name another with --folder")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        (self._folder / _MARK).touch()
        (self._folder / FILE_NAME).touch()

    def _settings_of_programs(self) -> dict[str, str]:
        own = {
            # A file of settings elsewhere, of this machine's installation, say, is not the demo's business.
            "CONFIG": str(self._folder / FILE_NAME),
            "DATA_DIRECTORY": str(self._folder / "data"),
            "INSTITUTION_NAME": "Demo University",
            "INSTITUTION_TIMEZONE": _zone_of_this_machine(),
            "SERVICE_LISTEN": self._service,
            "SERVICE_METRICS_LISTEN": "off",
            "SERVICE_TIMETABLE_REFRESH_S": "1",
            "SERVICE_CLOSE_INTERVAL_S": "1",
            "ATTENDANCE_SETTLE_MINUTES": "0",
            "MATCHING_PRESENTATION": "off",
            "WEB_LISTEN": self._web,
            "CAMERA_SERVER": self._service,
            "CAMERA_NAME": CAMERA_NAME,
            "CAMERA_TOKEN": self._token,
            "CAMERA_RECORDING_TOKEN": self._recording_token,
            "CAMERA_RATE": str(CLASS_FRAMES_PER_SECOND),
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ATTENDANCE_")}
        return kept | {f"ATTENDANCE_{name}": value for name, value in own.items()}

    def _found(self) -> sessionmaker[Session]:
        (self._folder / "data").mkdir()
        engine = create_database_engine(f"sqlite:///{self._folder / 'data' / 'attendance.db'}")
        upgrade(engine)
        sessions = session_factory(engine)
        with sessions() as db:
            found_university(
                db,
                passwords=self._passwords,
                camera_token=self._token,
                now=datetime.now(UTC),
                recording_token=self._recording_token,
            )
        return sessions

    def _finish(self, programs: Programs, name: str, arguments: list[str]) -> None:
        programs.start(name, arguments, self._environ)
        programs.wait_until(lambda: programs.has_ended(name), f"the {name} does not end", timeout_s=600)
        programs.check()

    def _tell_models(self) -> None:
        """With which models the students were enrolled, which the service then loads."""
        models = models_in_use(load_settings(self._environ))
        self._tell(f"    Faces are told apart by the models of family {models.family}")

    def _start_servers(self, programs: Programs) -> Dashboard:
        programs.start("service", ["serve"], self._environ)
        programs.start("dashboard", ["web"], self._environ)
        programs.start("gallery worker", ["gallery", "work"], self._environ)
        dashboard = Dashboard(f"http://{self._web}")
        programs.wait_until(lambda: _serves(self._service), "the recognition service is not ready", timeout_s=300)
        programs.wait_until(dashboard.answers, "the dashboard is not ready", timeout_s=60)
        return dashboard

    def _start_camera(self, programs: Programs, *options: str) -> None:
        frames = str(self._folder / "frames")
        programs.start("camera", ["camera", "run", "--source", frames, *options], self._environ)


def _zone_of_this_machine() -> str:
    """The IANA name of the clock on the wall, UTC where it cannot be told."""
    _, found, name = str(Path("/etc/localtime").resolve()).partition("/zoneinfo/")
    return name if found and name in available_timezones() else "UTC"


def _serves(address: str) -> bool:
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined] # stubs lack it
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _complete(rows: list[dict[str, str]]) -> bool:
    decided = {"present", "late", "absent", "excused", "not recorded"}
    return len(rows) == len(ROSTER) and all(row["Status"].lower() in decided for row in rows)
