"""The levels of the log, apart from structlog, whose import takes as long as a whole command."""

LEVELS = ("debug", "info", "warning", "error")
