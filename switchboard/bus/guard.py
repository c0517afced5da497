"""The access check of TCP connections: libzmq asks for each key (ZAP, ZeroMQ RFC 27); only our own hosts are let in.

A refusal is answered with 400, not 300, so that the other side knows that it was refused and can say so; its `Link`
tries again by itself. Who was refused is named: once to the log, and to `status` as long as they try.
"""

import math
from collections.abc import Callable, Mapping
from hashlib import sha256

import zmq
from zmq.utils import z85

from switchboard.bounded import Generations

ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
STRANGERS_KEPT = 500
"""Twice that at most."""
TOLD = 10
"""Strangers at a time that are reported to people; a stranger at the port can show any number of keys."""
TRIES_WITHIN_S = 15.0
"""A refused peer tries again within this time; otherwise it is gone, or has been let in."""
READ_EVERY_S = 1.0
Stranger = tuple[str, bytes]
"""The address (IP) that a key came from, and the key (32 octets)."""


def fingerprint(key: bytes) -> str:
    """What people compare of a public key (32 octets, or as Z85): 16 hexadecimal digits in four groups."""
    octets = z85.decode(key) if len(key) == 40 else key
    digits = sha256(octets).hexdigest()
    return "-".join(digits[start : start + 4] for start in range(0, 16, 4))


class Guard:
    """Answers libzmq's question whether a key may connect; `socket` is for the poller of the owner.

    `read_publics`: the keys of our hosts by their addresses, as Z85; asked again after a refusal, so that a key that
    was copied here is known soon. `refused` counts those turned away.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], read_publics: Callable[[], Mapping[str, bytes]]
    ) -> None:
        self.refused = 0
        self._read_publics = read_publics
        self._read_at = -math.inf
        self._learn()
        self._fresh: dict[Stranger, None] = {}
        self._seen: Generations[Stranger, float] = Generations(STRANGERS_KEPT)
        self.socket = context.socket(zmq.REP)
        self.socket.set(zmq.LINGER, 0)
        self.socket.bind(ENDPOINT)

    def serve(self) -> None:
        """Answer what waits."""
        while self.socket.poll(0):
            _, request, _, address, _, mechanism, *credentials = self.socket.recv_multipart()
            key = credentials[0] if mechanism == b"CURVE" and credentials else b""
            known = key in self._allowed
            if not known:
                self.refused += 1
                self._note(address.decode(errors="replace"), key)
            status, text = (b"200", b"OK") if known else (b"400", b"unknown key")
            self.socket.send_multipart([_VERSION, request, status, text, b"", b""])

    def look(self, now: float) -> list[str]:
        """What the log is to know: each stranger once. `now`: monotonic s; to be called now and then."""
        fresh, self._fresh = self._fresh, {}
        told = [each for each in fresh if each not in self._seen]
        for each in fresh:
            self._seen.put(each, now)
        if fresh and now - self._read_at >= READ_EVERY_S:
            self._read_at = now
            self._learn()
        return [self._describe(*each) for each in told[:TOLD]]

    def notes(self, now: float) -> list[str]:
        """The peers that are being refused, for `status`."""
        seen = (*self._seen.old.items(), *self._seen.young.items())
        recent = {
            each: None for each, at in seen if now - at <= TRIES_WITHIN_S and each[1] not in self._allowed
        }
        notes = [self._describe(*each) for each in list(recent)[-TOLD:]]
        return [*notes, f"{len(recent) - TOLD} more are refused"] if len(recent) > TOLD else notes

    def close(self) -> None:
        """Answer no more."""
        self.socket.close()

    def _learn(self) -> None:
        self._publics = self._read_publics()
        self._allowed = frozenset(map(z85.decode, self._publics.values()))

    def _note(self, address: str, key: bytes) -> None:
        if len(self._fresh) < STRANGERS_KEPT:
            self._fresh[address, key] = None

    def _describe(self, address: str, key: bytes) -> str:
        shown = (
            f"{address} is refused, its key {fingerprint(key)} is unknown here"
            if key
            else (f"{address} is refused, it shows no key")
        )
        expected = self._publics.get(address)
        if expected is None:
            return f"{shown}, and so is that address: none of the switchboard's hosts has it"
        return f"{shown}: that host had {fingerprint(expected)}. If it has new keys, copy its *.key to keys_dir here"
