"""Logging for every program: structured events, one a line, on standard error."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from attendance.settings.model import LogFormat, LogSettings

# A last guard beside the rule that nobody logs these: values under such names are never written.
_NEVER_WRITTEN = frozenset(
    {"token", "password", "secret", "secret_key", "authorization", "encoding", "encodings", "jpeg", "image", "url"}
)


def configure_logging(settings: LogSettings, stream: TextIO | None = None) -> None:
    """Send the events of structlog and of the standard library's loggers through one formatter.

    Call it once at the start of a program; calling it again replaces what it did before.

    Args:
        settings: level, and whether lines are JSON or for people.
        stream: where lines go; standard error unless given.
    """
    stream = sys.stderr if stream is None else stream
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings, stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    # At "info" SQLAlchemy writes every statement with its parameters, which hold token hashes and people's data.
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of itself whenever the schema is checked
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _rendering(settings: LogSettings, stream: TextIO) -> list[Processor]:
    if settings.format is LogFormat.CONSOLE:
        # The plain traceback: structlog's rich one prints local variables, tokens and pictures among them.
        return [
            structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _without_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    for key in _NEVER_WRITTEN.intersection(event):
        event[key] = "(not written)"
    return event
