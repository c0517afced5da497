"""The fast path of a router, where engine, log and loop were compiled: plain rounds run without the worker's Python."""

from typing import TYPE_CHECKING

from switchboard.bus import frames
from switchboard.bus.marks import Marks
from switchboard.bus.rounds import RETRY_S
from switchboard.core.router_core import RouterCore
from switchboard.transports.sender import Sender
from switchboard.wal.router_log import RouterLog
from switchboard.workers.media_link import MediaLink

if TYPE_CHECKING:
    from switchboard._native.engine import FastPath

try:
    from switchboard._native import engine as _module
except ImportError:
    _module = None  # type: ignore[assignment]


_HEADS = frames.head("sip.received"), frames.head("sip.mark")


def make_fast_path(
    core: RouterCore,
    log: RouterLog,
    sender: Sender,
    marks: Marks,
    clock_offset: float,
    media: MediaLink | None = None,
) -> "FastPath | None":
    """Return what serves frames of messages and marks; None where something was not compiled.

    `clock_offset`: that of the steady clock (`switchboard.clock`). `media`: gets sockets for the engine's questions.
    """
    if _module is None or core.engine is None:
        return None
    if not isinstance(log.keyed, _module.NativeKeyedLog) or not isinstance(
        log.events, _module.NativeEventRing
    ):
        return None
    line = _module.NgLine(core.engine, *media.open_line()) if media else None
    return _module.FastPath(
        _HEADS, core.engine, log.keyed, log.events, sender, marks, RETRY_S, clock_offset, line
    )
