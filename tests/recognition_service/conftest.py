"""The running service, on SQLite, with the engine of `engines.py`; what runs on MariaDB too asks for it by name."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from attendance.settings import Settings
from tests.recognition_service.campus import CameraCall, Campus, calling, found_campus, running
from tests.recognition_service.engines import ColourEngine


@pytest.fixture
def service_settings(tmp_path: Path) -> Settings:
    """Settings of a service on a free port, with quick intervals."""
    return Settings.model_validate(
        {
            "data": {"directory": tmp_path / "data"},
            "service": {
                "listen": "127.0.0.1:0",
                "metrics_listen": "127.0.0.1:0",
                "timetable_refresh_s": 0.2,
                "close_interval_s": 0.2,
                "max_delay_ms": 0,
                "max_clock_ahead_s": 86_400,  # the cameras of tests live fast
                "max_clock_behind_s": 86_400,
                "max_camera_rate": 10_000,
                "drain_s": 10,
            },
        }
    )


@pytest.fixture
def campus(service_settings: Settings) -> Iterator[Campus]:
    """A filled database, and a published index."""
    campus = found_campus(service_settings)
    yield campus
    campus.engine.dispose()


Start = Callable[..., Any]


@pytest.fixture
async def start(campus: Campus) -> AsyncIterator[Start]:
    """`await start(window=2, engine=...)`: the service with changed service settings, and a stub to call it."""
    async with AsyncExitStack() as stack:

        async def begin(
            *, engine: ColourEngine | None = None, build: Any = None, options: Any = (), **changes: Any
        ) -> Any:
            service_settings = campus.settings.service.model_copy(update=changes)
            settings = campus.settings.model_copy(update={"service": service_settings})
            service = await stack.enter_async_context(running(settings, build or (lambda: engine or ColourEngine())))
            return await stack.enter_async_context(calling(service, options=options))

        yield begin


@pytest.fixture
async def open_stream(campus: Campus) -> AsyncIterator[Callable[..., Any]]:
    """`await open_stream(stub, "front")`: an admitted camera's stream; ended with the test."""
    calls: list[CameraCall] = []

    async def begin(stub: Any, camera: str = "front") -> CameraCall:
        call = CameraCall(stub, getattr(campus, camera), camera, campus.now)
        calls.append(call)
        await call.opened()
        return call

    yield begin
    for call in calls:
        call.call.cancel()
