"""Faults done to the real service, in a short form with every test run and a long one: `make soak`."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.camera import SteadyCamera
from tests.faults.faces import Faces, make_faces
from tests.faults.service import PATIENCE_S, ServiceProgram
from tests.faults.university import Rows, University

_TALLIES = pytest.StashKey[list["Tally"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="faults in their long form, with a table at the end")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLIES] = []


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether this is the long form."""
    return bool(request.config.getoption("--soak", default=False))


@dataclass
class Tally:
    """What became of one fault: how often it was done, and the register's rows that should be and that are there."""

    fault: str
    planned: int
    rounds: int = 0
    expected: int = 0
    found: int = 0
    held: bool = False

    def __iter__(self) -> Iterator[int]:
        """The rounds, counted as they are begun."""
        for number in range(self.planned):
            self.rounds += 1
            yield number

    def count(self, expected: Rows, found: Rows) -> None:
        """Compare a register with what it must be; a difference fails the test."""
        self.expected += expected.total()
        self.found += found.total()
        assert found == expected

    async def register(self, university: University, camera: SteadyCamera) -> None:
        """Wait until the register of a camera's lesson has all who were acknowledged, and compare it."""
        expected = camera.expected
        try:
            async with asyncio.timeout(PATIENCE_S):
                while university.rows(camera.lesson).total() < expected.total():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass  # the comparison says what is missing
        self.count(expected, university.rows(camera.lesson))
        assert not university.unproven(camera.lesson)  # sighting and evidence are one transaction; uids are unique


Begin = Callable[..., Tally]


@pytest.fixture
def begin(request: pytest.FixtureRequest, soak: bool) -> Iterator[Begin]:
    """`begin("kill -9", short=5, long=50)`: the line of a fault in the table; its verdict is that of the test."""
    begun: list[Tally] = []

    def begin(fault: str, *, short: int = 1, long: int = 1) -> Tally:
        begun.append(Tally(fault, long if soak else short))
        request.config.stash[_TALLIES].append(begun[-1])
        return begun[-1]

    yield begin
    report = request.node.stash.get(_REPORT, None)
    for one in begun:
        one.held = report is not None and report.passed


_REPORT = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.getoption("--soak", default=False):
        return
    line = "{:<58} {:>7} {:>14} {:>11}  {}"
    terminalreporter.section("faults")
    terminalreporter.line(line.format("fault", "rounds", "rows expected", "rows found", "verdict"))
    for one in config.stash[_TALLIES]:
        verdict = "held" if one.held and one.expected == one.found else "FAILED"
        terminalreporter.line(line.format(one.fault, one.rounds, one.expected, one.found, verdict))


@pytest.fixture(scope="session")
def faces(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Faces:
    """Real faces, and what enrols them."""
    return make_faces(pictures, tmp_path_factory.mktemp("photos"))


@pytest.fixture
def university(tmp_path: Path, faces: Faces) -> Iterator[University]:
    """A university on SQLite."""
    university = University(tmp_path, f"sqlite:///{tmp_path / 'attendance.db'}", faces)
    yield university
    university.close()


Serve = Callable[..., ServiceProgram]


@pytest.fixture
def serve(university: University) -> Iterator[Serve]:
    """`serve(ATTENDANCE_...="...")`: a service of the university that is not started yet; killed with the test."""
    made: list[ServiceProgram] = []

    def prepare(**settings: str) -> ServiceProgram:
        made.append(ServiceProgram(university.folder, university.database_url, university.index, **settings))
        return made[-1]

    yield prepare
    for program in made:
        program.kill()


@pytest.fixture
async def service(serve: Serve) -> AsyncIterator[ServiceProgram]:
    """A service that serves."""
    program = serve()
    await program.start()
    yield program
    assert program.surprises() == []


async def scraped(service: ServiceProgram) -> dict[str, float]:
    """The service's own metrics by name and labels, as Prometheus's client reads them."""

    def fetch() -> str:
        with urllib.request.urlopen(f"http://{service.metrics_address}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    text = await asyncio.to_thread(fetch)
    return {
        " ".join([sample.name.removeprefix("attendance_"), *sample.labels.values()]): sample.value
        for metric in text_string_to_metric_families(text)
        for sample in metric.samples
        if sample.name.startswith("attendance_")
    }
