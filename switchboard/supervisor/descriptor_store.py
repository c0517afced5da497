"""systemd keeps the edge's connections while their keeper itself is started again (sd_notify(3), FDSTORE=1).

Theory. A parent sends systemd a duplicate of each descriptor that must outlive it, with a name. systemd passes them to
the next process of the service, as it passes the sockets of a `.socket` unit, and lets go of those whose peers have
gone. The name is all that is kept beside a descriptor, so it says what the next parent has to know. What a connection's
worker has to know is in the table in shared memory, which is stored, too.

Strangers' connections are not stored: a flood of them is none of systemd's business.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from switchboard.supervisor.health import NOTIFY_SOCKET, address_of_systemd
from switchboard.supervisor.resources import PREFIX
from switchboard.transports.kept import Kept

_TABLE: Final = f"{PREFIX}table."
_CONNECTION: Final = f"{PREFIX}connection."
_PARTS: Final = 6


class DescriptorStore:
    """What systemd keeps for the keeper of the connections. `given`: names and descriptors from the last one.

    `failed` counts what systemd could not be told.
    """

    def __init__(self, given: Mapping[str, int]) -> None:
        self.failed = 0
        self._given = dict(given)

    def take_tables(self) -> dict[int, int]:
        """The descriptors of the tables, by edge-stream."""
        names = [name for name in self._given if name.startswith(_TABLE)]
        return {int(name.removeprefix(_TABLE)): self._given.pop(name) for name in names}

    def take_connections(self) -> list[tuple[int, bytes, Kept]]:
        """The connections, each with its edge-stream and serial."""
        found = []
        for name in [each for each in self._given if each.startswith(_CONNECTION)]:
            fd = self._given.pop(name)
            if (connection := _read(name, fd)) is None:
                os.close(fd)
            else:
                found.append(connection)
        return found

    def keep_table(self, stream: int, fd: int) -> None:
        """Have the table of an edge-stream kept."""
        self._tell(f"FDSTORE=1\nFDNAME={_TABLE}{stream}", fd)

    def keep(self, stream: int, serial: bytes, kept: Kept) -> None:
        """Have a connection kept."""
        self._tell(f"FDSTORE=1\nFDNAME={_name(stream, serial, kept)}", kept.fd)

    def forget(self, stream: int, serial: bytes, kept: Kept) -> None:
        """It has ended."""
        self._tell(f"FDSTOREREMOVE=1\nFDNAME={_name(stream, serial, kept)}")

    def _tell(self, message: str, *fds: int) -> None:
        """Without waiting: what systemd does not hear is lost with the next restart only."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            try:
                sender.connect(address_of_systemd())
                socket.send_fds(sender, [message.encode()], fds)
            except OSError:
                self.failed += 1


def open_store(given: Mapping[str, int]) -> DescriptorStore | None:
    """None where no systemd is above us."""
    return DescriptorStore(given) if os.environ.get(NOTIFY_SOCKET) else None


def _name(stream: int, serial: bytes, kept: Kept) -> str:
    """At most 255 printable characters, none of them a colon."""
    parts = stream, serial.hex(), kept.transport, int(kept.since_at), kept.port, kept.source.replace(":", "_")
    return _CONNECTION + ".".join(map(str, parts))


def _read(name: str, fd: int) -> tuple[int, bytes, Kept] | None:
    parts = name.removeprefix(_CONNECTION).split(".", _PARTS - 1)
    with suppress(ValueError):
        stream, serial, transport, since_at, port, source = parts
        kept = Kept(fd, int(transport), source.replace("_", ":"), int(port), float(since_at))
        return int(stream), bytes.fromhex(serial), kept
    return None
