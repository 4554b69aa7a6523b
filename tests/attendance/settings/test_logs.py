import io
import json
import logging

import pytest
import structlog

from attendance.settings.logs import configure_logging
from attendance.settings.model import LogFormat, LogSettings


def test_an_event_is_one_json_object_a_line_with_level_and_utc_time() -> None:
    lines = _lines(LogSettings(), lambda: structlog.get_logger().info("frame_refused", camera="front", reason="late"))

    (event,) = (json.loads(line) for line in lines)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "frame_refused", "camera": "front", "reason": "late", "level": "info"}


def test_the_standard_librarys_loggers_speak_the_same_format() -> None:
    lines = _lines(LogSettings(), lambda: logging.getLogger("another.library").info("upgrade %s", "0001"))

    (event,) = (json.loads(line) for line in lines)
    assert event["event"] == "upgrade 0001"
    assert event["level"] == "info"


def test_events_below_the_level_are_left_out() -> None:
    assert _lines(LogSettings(level="warning"), lambda: structlog.get_logger().info("quiet")) == []


@pytest.mark.parametrize("shape", list(LogFormat))
def test_a_traceback_is_written_without_the_values_of_variables(shape: LogFormat) -> None:
    def fail() -> None:
        private = "pass" + "phrase"
        try:
            raise ValueError("broken")
        except ValueError:
            structlog.get_logger().exception("failed", length=len(private))

    text = "\n".join(_lines(LogSettings(format=shape), fail))
    assert "ValueError: broken" in text
    assert "passphrase" not in text


@pytest.mark.parametrize("shape", list(LogFormat))
def test_what_must_not_be_logged_is_not_written_even_when_asked(shape: LogFormat) -> None:
    secret = "cam_" + "0123456789"
    lines = _lines(
        LogSettings(format=shape), lambda: structlog.get_logger().info("slip", token=secret, encoding=[0.25])
    )

    assert secret not in lines[0]
    assert "0.25" not in lines[0]


def test_statements_with_their_parameters_are_never_logged() -> None:
    lines = _lines(
        LogSettings(level="debug"), lambda: logging.getLogger("sqlalchemy.engine").info("SELECT ... ['hash']")
    )
    assert lines == []


def _lines(settings: LogSettings, act: object) -> list[str]:
    stream = io.StringIO()
    configure_logging(settings, stream)
    assert callable(act)
    act()
    return stream.getvalue().splitlines()
