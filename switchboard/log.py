"""The log of every process, on standard error: for people at a terminal or under honcho, else JSON lines.

Where systemd's journal reads it, each line begins with its priority (sd-daemon(3)). A line about a call has
its Call-ID, and a `trace` that follows from it: the same in all processes, without a word on the bus.
"""

import hashlib
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = ("debug", "info", "warning", "error")
Style = Literal["auto", "text", "json"]
TRACE_DIGITS = 32
"""As many as a trace has elsewhere (W3C Trace Context)."""
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_JOURNAL = "JOURNAL_STREAM"


class _StandardError:
    """Loses lines rather than a process: they may go to a disk that is full, or to a reader that has gone."""

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


def configure(level: str = "info", style: Style = "auto") -> None:
    """Set up structlog for this process. `level`: one of LEVELS; `style`: the kind of reader; auto: guessed."""
    watched = sys.stderr.isatty() or "HONCHO_PROCESS_NAME" in os.environ
    for_people = watched if style == "auto" else style == "text"
    processors = _for_people() if for_people else _for_machines()
    if _is_read_by_journal():
        processors[-1] = _with_priority(processors[-1])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_trace,
            *processors,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _StandardError())),
    )
    set_level(level)


def set_level(level: str) -> None:
    """Let lines of this level and above through from now on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))


def current_level() -> str:
    """The level in force."""
    number: int = structlog.get_logger().get_effective_level()
    return logging.getLevelName(number).lower()


def trace_of(call_id: str) -> str:
    """The identity of a call in all logs: 32 hexadecimal digits that follow from its Call-ID."""
    return hashlib.sha256(call_id.encode(errors="surrogateescape")).hexdigest()[:TRACE_DIGITS]


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if "call_id" in event:
        event["trace"] = trace_of(event["call_id"])
    return event


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


def _is_read_by_journal() -> bool:
    """Whether standard error is the very stream that systemd connected to its journal."""
    device, _, inode = os.environ.get(_JOURNAL, "").partition(":")
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(stat.st_dev), str(stat.st_ino))


def _with_priority(render: Processor) -> Callable[[WrappedLogger, str, EventDict], str]:
    """The same lines, each behind its priority."""

    def prefixed(logger: WrappedLogger, method: str, event: EventDict) -> str:
        head = f"<{_PRIORITIES.get(event.get('level', ''), 6)}>"
        return head + str(render(logger, method, event)).replace("\n", f"\n{head}")

    return prefixed
