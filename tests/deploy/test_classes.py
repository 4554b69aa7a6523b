"""Classes through the whole installation: cameras, nginx with TLS, recognition services, MariaDB, the dashboard."""

import re
import shutil
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from attendance.database.models import Account, AccountRole, Course, Enrolment, Role, Student
from operations.demo.programs import free_port
from operations.demo.university import LECTURER_EMAIL
from tests.deploy.conftest import RIGHT, University, statuses
from tests.deploy.machine import Browser, Machine
from tests.factories import recognisable

pytestmark = pytest.mark.long("a whole installation, and cameras through nginx")


@pytest.fixture(autouse=True)
def _services_end(university: University) -> Iterator[None]:
    yield
    running = university.machine.running
    university.machine.end(*[name for name in list(running) if name not in ("nginx", "attendance-web")])


def test_a_class_is_seen_on_the_dashboard_although_a_service_is_killed(university: University) -> None:
    machine, browser = university.machine, university.lecturer()
    session_id = university.add_camera("hall-a")
    for number in (1, 2):
        machine.start_service(number)

    def somebody_is_confirmed() -> bool:
        return any(machine.metric(number, "attendance_confirmations_total") > 0 for number in (1, 2))

    with Events(browser, session_id) as events:
        university.start_camera("hall-a")
        machine.wait_until(somebody_is_confirmed, "nobody is confirmed")
        # A fast machine is through the class before the register is told: the camera goes on when a browser has heard.
        machine.send_signal("hall-a", signal.SIGSTOP)
        machine.wait_until(lambda: "rows" in events.names, "no event comes through nginx")
        assert events.open
        assert not machine.has_ended("hall-a")
        (victim,) = [number for number in (1, 2) if machine.metric(number, "attendance_streams") == 1]
        machine.kill(f"attendance-serve{victim}")
        machine.send_signal("hall-a", signal.SIGCONT)
        machine.wait_until(lambda: machine.has_ended("hall-a"), "the camera does not end")
        university.end_class(session_id)
        machine.wait_until(lambda: statuses(browser, session_id) == RIGHT, "the register is not right")
    # systemd starts it again; what its outbox still holds is already there.
    machine.start_service(victim)
    machine.wait_until(lambda: machine.metric(victim, "attendance_outbox_sightings") == 0, "the outbox is not emptied")
    assert statuses(browser, session_id) == RIGHT


def test_three_services_share_the_cameras_and_take_over_from_one_that_is_killed(university: University) -> None:
    machine, browser = university.machine, university.lecturer()
    add_third_service(machine)
    for number in (1, 2, 3):
        machine.start_service(number)
    classes = {name: university.add_camera(name) for name in ("hall-b", "hall-c", "hall-d", "höll-e")}
    for name in classes:
        university.start_camera(name)

    def streams() -> list[float]:
        return [machine.metric(number, "attendance_streams") for number in (1, 2, 3)]

    machine.wait_until(lambda: sum(streams()) == len(classes), "not every camera has a stream")
    machine.wait_until(lambda: "present" in statuses(browser, classes["hall-b"]).values(), "nobody is confirmed")
    victim = 1 + streams().index(max(streams()))
    machine.kill(f"attendance-serve{victim}")
    machine.wait_until(lambda: all(machine.has_ended(name) for name in classes), "the cameras do not end", 240)
    for session_id in classes.values():
        university.end_class(session_id)

    def is_right(session_id: int) -> bool:
        return statuses(browser, session_id) == RIGHT

    for session_id in classes.values():
        machine.wait_until(partial(is_right, session_id), "a register is wrong")
    assert_consistent(machine, set(classes), dead=machine.service_ports[victim - 1])


@pytest.mark.exhaustive
def test_the_cameras_one_file_streams_on_a_machine_without_python(
    university: University, camera_binary: Path, tmp_path: Path
) -> None:
    machine, browser = university.machine, university.lecturer()
    session_id = university.add_camera("hall-f")
    machine.start_service(1)
    alone = shutil.copy(camera_binary, tmp_path)  # away from the repository
    nothing = {"PATH": str(tmp_path / "nowhere"), "HOME": str(tmp_path), "ATTENDANCE_CAMERA_NAME": "hall-f"}
    university.start_camera("hall-f", program=Path(alone), environ=nothing)
    machine.wait_until(lambda: machine.has_ended("hall-f"), "the camera does not end")
    university.end_class(session_id)
    machine.wait_until(lambda: statuses(browser, session_id) == RIGHT, "the register is not right")


@pytest.mark.exhaustive
def test_a_films_class_is_seen_on_the_dashboard(
    university: University, camera_binary: Path, shared_faces: Path, tmp_path: Path
) -> None:
    machine = university.machine
    people = ("lin_manuel_miranda", "alex_lacamoire", "rose_leslie")
    for person in people:
        shutil.copytree(shared_faces / "enrol" / person, tmp_path / person)
    machine.attendance("enrol", str(tmp_path), "--consent", "test", "--new", "add", "--publish")
    with university.sessions.begin() as db:
        course = Course(code="FILM", name="A film")
        db.add(course)
        db.flush()
        lecturer = db.scalars(sa.select(Account.id).where(Account.email == LECTURER_EMAIL)).one()
        db.add(AccountRole(account_id=lecturer, role=Role.LECTURER, course_id=course.id))
        for student in db.scalars(sa.select(Student).where(Student.index_number.in_(people))):
            db.add(Enrolment(course_id=course.id, student_id=student.id))
            recognisable(db, student)
    browser = university.lecturer()
    session_id = university.add_camera("hall-g", course="FILM")
    machine.start_service(2)
    university.start_camera("hall-g", program=camera_binary, source=shared_faces / "hamilton_clip.mp4", rate=5)
    machine.wait_until(lambda: machine.has_ended("hall-g"), "the camera does not end")
    university.end_class(session_id)
    right = dict.fromkeys(people, "absent") | {"lin_manuel_miranda": "present"}
    machine.wait_until(lambda: statuses(browser, session_id) == right, "the register is not right")


def add_third_service(machine: Machine) -> None:
    """Run the installer again with one service more, which must not disturb what is there."""
    if len(machine.service_ports) < 3:
        machine.service_ports += (free_port(0),)
        done = machine.install()
        assert done.returncode == 0, done.stderr
        changed = {line.rpartition("/")[2] for line in done.stdout.splitlines()}
        assert changed == {"serve-3.env", "install.json", "attendance"}
        machine.reload_nginx()


def assert_consistent(machine: Machine, cameras: set[str], *, dead: int) -> None:
    """Each camera had one service as long as that lived; those of the dead one went elsewhere."""
    log = machine.at("/var/log/attendance/cameras.log").read_text()
    used: dict[str, list[str]] = {}
    for camera, services in re.findall(r'StreamFrames .* camera="([^"]+)" service="[^"]*?([^" ,]+)"', log):
        used.setdefault(camera, []).append(services.rpartition(":")[2])
    for camera in cameras:
        distinct = list(dict.fromkeys(used[quote(camera)]))
        assert distinct[0] == str(dead) or len(distinct) == 1, used
        assert distinct[-1] != str(dead), used


class Events:
    """Server-sent events of a register, read as they come by a thread of their own."""

    def __init__(self, browser: Browser, session_id: int) -> None:
        page = browser.open(f"/sessions/{session_id}").read().decode()
        revision = re.search(r'revision="?([^"\s>]+)', page)
        assert revision, page
        self._stream = browser.open(f"/sessions/{session_id}/live?revision={revision[1]}")
        self._thread = threading.Thread(target=self._read)
        self.names: list[str] = []
        self.open = True

    def __enter__(self) -> "Events":
        assert self._stream.headers["Content-Type"].startswith("text/event-stream")
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join(120)  # the stream ends with the class, and after a minute and a half at the latest
        self._stream.close()

    def _read(self) -> None:
        for line in self._stream:
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                self.names.append(value)
        self.open = False
