"""What the keeper of connections (`keeping.py`) and the edge-streams say to one another, and who gives it one."""

import socket
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from switchboard import codec

NAME: Final = "edge.streams"
AT_ONCE: Final = 253
"""Connections of which an edge-stream has not said that it has them: the kernel takes no more descriptors in a message
(SCM_MAX_FD), and bounds how many are on their way.
"""
GOT_AFTER: Final = 64
"""So many may wait to be told of, once all are there that there were."""
MESSAGE_OCTETS: Final = 1 << 15
Given = list[Any]
"""Of a connection: serial number, transport, since when (epoch s), whether it is a stranger's, whether a process before
has had it, address and port of the peer, which may be behind a proxy, the user, and what the one who gave it has said
of it (`Handed`, or [])."""
Accepted = tuple[bytes, int, str, int, float]
"""Of a connection: serial number, transport, address and port of the peer, since when (epoch s)."""
Handed = list[Any]
"""Of a connection in TLS, when it was given: how many octets the kernel had given to us, and the channel's state of
reading behind them; how many it had accepted from us, and that of writing. Secret."""


class Word(IntEnum):
    """What an edge-stream says (HELLO to GOT), and the keeper."""

    HELLO = 0
    """Which it is."""
    MADE = 1
    """It has made a connection; with the descriptor."""
    CLOSED = 2
    """Connections have ended."""
    KNOWN = 3
    """Connections are no stranger's."""
    GOT = 4
    """It has got so many more of those that it was given."""
    TABLE = 5
    """Here is the table, and where you accept; with the descriptors, that of the table first."""
    TAKE = 6
    """Here are connections; with their descriptors."""
    ALL = 7
    """Those were all there are."""
    LENT = 8
    """Somebody else gives a connection, whose handshake has ended; with the descriptor."""
    USERS = 9
    """Who has registered over connections."""
    ACCEPTED = 10
    """It has accepted connections; with the descriptors."""


def visit(path: Path) -> socket.socket:
    """Return a way to the keeper, for `lend`. OSError: it is not there."""
    desk = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        desk.setblocking(False)
        desk.connect(str(path))
    except OSError:
        desk.close()
        raise
    return desk


def lend(
    desk: socket.socket, connection: socket.socket, transport: int, source: str, handed: Handed | None = None
) -> None:
    """Give the keeper a connection that we have accepted, and whose handshake has ended. OSError.

    `source`: the address of the peer, numeric, as whoever is before us has told it. `handed`: of one in TLS.
    """
    socket.send_fds(desk, [codec.pack([Word.LENT, transport, source, handed or []])], [connection.fileno()])
