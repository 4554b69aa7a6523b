"""The tiers of tests: quick, ordinary and exhaustive (see CONTRIBUTING). A pytest plugin; nobody marks a quick test.

A test is `quick` unless it, a fixture of it or a helper of either names what is real: a process, a socket, gRPC, a
browser, MariaDB, a face engine. Where code of the product starts one unseen, the quick test fails and says so: mark it
`real`. What takes more than twenty seconds, and matrices wider than one real path of everything, are `exhaustive`.
"""

import inspect
import sys
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

_REAL_MODULES = (
    "grpc",
    "http.client",
    "http.server",
    "multiprocessing",
    "playwright",
    "prometheus_client",
    "pymysql",
    "socket",
    "socketserver",
    "subprocess",
    "urllib.request",
)
_REAL_NAMES = frozenset({
    "AcceleratedEngine", "EngineWorker", "OpenCvEngine", "RecognitionService", "ReferenceEngine", "WheelSource",
    "create_engine", "create_subprocess_exec", "face_recognition", "fetch_pictures", "require_program", "start_server",
    "write_photos",
})  # fmt: skip
_EVENTS = frozenset({"os.fork", "os.posix_spawn", "os.system", "socket.bind", "subprocess.Popen"})
_LONG_S = 20.0
_FOLDERS = ("tests/deploy/", "tests/faults/", "tests/system/")
"""Here everything is real."""

_BESIDE = "shared_faces"
"""The fixture that gives further faces, or skips the test."""

_watched: list[str] = []
"""The quick test that runs, if one does."""
_over: dict[str, float] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and watch what quick tests do."""
    config.addinivalue_line("markers", "quick: starts nothing real; given by tests/tiers.py")
    config.addinivalue_line("markers", "real: starts something real that tests/tiers.py does not see")
    config.addinivalue_line("markers", "exhaustive: longer or wider than `make test` should be")
    config.addinivalue_line("markers", "long(why): takes more than 20 s, and `make test` needs it because ...")
    sys.addaudithook(_refuse_what_is_real)


@pytest.hookimpl(trylast=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark quick tests, and those of what lies beside the repository: a fresh clone has nothing there."""
    if _BESIDE in getattr(item, "fixturenames", ()):
        item.add_marker("exhaustive")
    if isinstance(item, pytest.Function) and not is_real(item):
        item.add_marker("quick")


def is_real(item: pytest.Function) -> bool:
    """Whether a test may start something real."""
    if item.get_closest_marker("real") or item.get_closest_marker("exhaustive"):
        return True
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if item.nodeid.startswith(_FOLDERS) or parameters.get("database_url") == "mariadb":
        return True
    fixtures = item._fixtureinfo.name2fixturedefs  # what pytest found; there is no public way to ask
    used = [one.func for name in item.fixturenames for one in fixtures.get(name, ())[-1:] if name != "database_url"]
    functions = [part for one in [item.function, *used] for part in _functions(one)]
    return any(names_what_is_real(function) for function in functions)


@cache
def names_what_is_real(function: FunctionType) -> bool:
    """Whether a function names what is real, or a helper of tests that does."""
    seen: set[FunctionType] = set()
    unseen = [function]
    while unseen:
        one = unseen.pop()
        seen.add(one)
        for name in _names(one.__code__):
            used = one.__globals__.get(name)
            module = used.__name__ if isinstance(used, ModuleType) else getattr(used, "__module__", None) or ""
            if name in _REAL_NAMES or module.startswith(_REAL_MODULES):
                return True
            if module.startswith("tests."):
                unseen += [helper for helper in _functions(used) if helper not in seen]
    return False


def _functions(thing: Any) -> list[FunctionType]:
    """The function, or the methods of the class."""
    parts = vars(thing).values() if isinstance(thing, type) else [thing]
    return [inspect.unwrap(part) for part in parts if isinstance(part, FunctionType)]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch a quick test from its first fixture to its last."""
    if item.get_closest_marker("quick"):
        _watched.append(item.nodeid)
    try:
        return (yield)
    finally:
        _watched.clear()


def _refuse_what_is_real(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or event not in _EVENTS:
        return
    if event == "socket.bind" and isinstance(arguments[1], str | bytes):
        return  # a socket of this machine's own files
    raise RuntimeError(f"{event} in a quick test: mark it `real` (see tests/tiers.py)")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what took long without saying why."""
    if report.duration > _LONG_S and not {"exhaustive", "long"} & report.keywords.keys():
        _over[f"{report.nodeid} ({report.when})"] = report.duration


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name what took long without saying why."""
    if _over:
        terminalreporter.section(f"over {_LONG_S:g} s: mark them `exhaustive`, or `long` with the reason")
        for name, seconds in sorted(_over.items(), key=lambda one: -one[1]):
            terminalreporter.line(f"{seconds:6.1f} s  {name}")
