"""The log of every process, on standard error: for people at a terminal or under honcho, else JSON lines."""

import logging
import os
import sys

import structlog
from structlog.typing import Processor


def configure(level: str = "info") -> None:
    """Set up structlog for this process. `level`: debug, info, warning, error or critical."""
    watched = sys.stderr.isatty() or "HONCHO_PROCESS_NAME" in os.environ
    processors = _for_people() if watched else _for_machines()
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *processors],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _for_people() -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty() and "NO_COLOR" not in os.environ,
        exception_formatter=structlog.dev.plain_traceback,
        timestamp_key="at",
    )
    return [structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="at"), renderer]


def _for_machines() -> list[Processor]:
    return [
        structlog.processors.TimeStamper(fmt="iso", key="at"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
