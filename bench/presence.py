"""How soon watchers hear of a change: subscriptions to users whose state changes, by publications or by calls.

python -m bench.presence               both, as a table on the terminal
    --users 100 --watchers 10          users who are watched, and subscriptions to each
    --changes 50 --seconds 10          changes a second, and for how long
    --write PAGE                       put the result into its section of a Markdown page

A change is published with a number in its note, or is a phone that begins to ring or refuses the call; the NOTIFY that
tells it is known by that. Watchers and phones are one process with two sockets, whose own work is in the figures.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Annotated

import typer
from system.harness import Switchboard
from system.sipmsg import Address, host_port

from bench.machine import describe_machine
from bench.report import write_section
from bench.speed.cpu import costs, spent

HOST = "127.0.0.1"
SETTINGS = {"SWITCHBOARD_PRESENCE": "on", "SWITCHBOARD_HISTORY": "off", "SWITCHBOARD_CONSOLE": "off"}
SECTION = "delays of notifications"
RECEIVED_BYTES = 1 << 16
BUFFER_BYTES = 1 << 22
PATIENCE_S = 30.0
SETTLE_S = 2.0
AT_ONCE = 50
"""Requests on their way while everybody registers or subscribes."""
RINGS_S = 1.0
_serial = count(1)
_CALL_ID = re.compile(rb"\r\nCall-ID: ?(\S+)\r\n", re.IGNORECASE)
_NOTE = re.compile(rb"<note>(\d+)</note>")
_ENTITY = re.compile(rb'entity="sip:([^@]+)@.*<state[^>]*>(early|terminated)<', re.DOTALL)
_COPIED = re.compile(rb"(?m)^((?:Via|From|To|Call-ID|CSeq|Record-Route):.*\r\n)", re.IGNORECASE)
PIDF = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:{user}@x"><tuple id="t"><status><basic>open</basic>'
    "</status><note>{mark}</note></tuple></presence>"
)


class Phones:
    """Many phones behind one socket."""

    def __init__(self, proxy: Address) -> None:
        self.handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.handle.bind((HOST, 0))
        self.handle.setblocking(False)
        self._proxy = proxy
        self._domain = host_port(proxy)
        self._here = host_port(self.handle.getsockname())

    def ask(self, method: str, user: str, sender: str, *lines: str, body: str = "") -> str:
        """Send a request outside a dialog; return its Call-ID."""
        call_id = f"b{next(_serial)}"
        uri = f"sip:{self._domain}" if method == "REGISTER" else f"sip:{user}@{self._domain}"
        head = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._here};branch=z9hG4bK{call_id};rport",
            "Max-Forwards: 70",
            f"From: <sip:{sender}@{self._domain}>;tag={call_id}",
            f"To: <sip:{user}@{self._domain}>",
            f"Call-ID: {call_id}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{sender}@{self._here}>",
            *lines,
            f"Content-Length: {len(body)}",
        ]
        self.handle.sendto(("\r\n".join(head) + "\r\n\r\n" + body).encode(), self._proxy)
        return call_id

    def reply(self, request: bytes, status: str) -> None:
        """Answer a request."""
        lines = [
            line[:-2] + b";tag=b\r\n" if line[:3].lower() == b"to:" and b";tag=" not in line else line
            for line in _COPIED.findall(request.partition(b"\r\n\r\n")[0] + b"\r\n")
        ]
        end = f"Contact: <sip:x@{self._here}>\r\nContent-Length: 0\r\n\r\n".encode()
        self.handle.sendto(f"SIP/2.0 {status}\r\n".encode() + b"".join(lines) + end, self._proxy)

    def received(self) -> Iterator[bytes]:
        """What has come."""
        while True:
            try:
                yield self.handle.recv(RECEIVED_BYTES)
            except BlockingIOError:
                return


@dataclass
class Office:
    """Phones and watchers. `began`: when each change was made, by what a NOTIFY of it shows."""

    phones: Phones
    watchers: Phones
    mark_of: Callable[[bytes], bytes | None]
    began: dict[bytes, float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    _answered: set[str] = field(default_factory=set)
    _ringing: list[tuple[float, bytes, bytes]] = field(default_factory=list)

    def run(self, until: Callable[[], bool], patience_s: float) -> None:
        """Take what comes until that holds, or the time is over."""
        end = time.monotonic() + patience_s
        with selectors.DefaultSelector() as selector:
            for each in (self.phones, self.watchers):
                selector.register(each.handle, selectors.EVENT_READ)
            while not until() and time.monotonic() < end:
                selector.select(0.001)
                self._take_all()

    def ask_all(self, requests: Iterator[str]) -> None:
        """Send these requests, some at once; each has to get a 2xx."""
        open_: set[str] = set()
        for call_id in requests:
            open_.add(call_id)
            if len(open_) >= AT_ONCE:
                self._await(open_)
        self._await(open_)

    def _await(self, open_: set[str]) -> None:
        self.run(lambda: open_ <= self._answered, PATIENCE_S)
        assert open_ <= self._answered, f"{len(open_ - self._answered)} requests got no 2xx"
        open_.clear()

    def _take_all(self) -> None:
        for raw in self.watchers.received():
            if raw.startswith(b"NOTIFY"):
                self._hear(raw, time.monotonic())
            else:
                self._note(raw)
        for raw in self.phones.received():
            if raw.startswith(b"INVITE"):
                self._ring(raw)
            else:
                self._note(raw)
        while self._ringing and self._ringing[0][0] <= time.monotonic():
            _, user, invite = self._ringing.pop(0)
            self.began[user + b" terminated"] = time.monotonic()
            self.phones.reply(invite, "486 Busy Here")

    def _hear(self, notify: bytes, now: float) -> None:
        self.watchers.reply(notify, "200 OK")
        mark = self.mark_of(notify)
        if mark is not None and mark in self.began:
            self.delays.append(now - self.began[mark])

    def _ring(self, invite: bytes) -> None:
        user, now = invite[len(b"INVITE sip:") : invite.index(b"@")], time.monotonic()
        self.began[user + b" early"] = now
        self.phones.reply(invite, "180 Ringing")
        self._ringing.append((now + RINGS_S, user, invite))

    def _note(self, raw: bytes) -> None:
        if raw.startswith(b"SIP/2.0 2") and (found := _CALL_ID.search(raw)):
            self._answered.add(found[1].decode())


@dataclass(frozen=True)
class Result:
    """`delays`: s, sorted. `expected`: how many there should be. `presence`: share of a core of the worker."""

    kind: str
    delays: list[float]
    expected: int
    presence: float

    def row(self) -> list[str]:
        """As people read it."""
        shown = [
            f"{self.delays[min(len(self.delays) - 1, int(q * len(self.delays)))] * 1e3:.0f} ms"
            for q in (0.5, 0.99, 1)
        ]
        return [self.kind, f"{len(self.delays)} of {self.expected}", *shown, f"{self.presence:.0%}"]


HEAD = ("changes by", "told", "median", "99 %", "longest", "CPU of the presence worker, of a core")


def _note_of(notify: bytes) -> bytes | None:
    found = _NOTE.search(notify)
    return found[1] if found else None


def _leg_of(notify: bytes) -> bytes | None:
    found = _ENTITY.search(notify)
    return found[1] + b" " + found[2] if found else None


def _publish(office: Office, user: str, number: int) -> None:
    mark = f"{number}"
    office.began[mark.encode()] = time.monotonic()
    lines = ("Event: presence", "Expires: 600", "Content-Type: application/pidf+xml")
    office.phones.ask("PUBLISH", user, user, *lines, body=PIDF.format(user=user, mark=mark))


def _call(office: Office, user: str, number: int) -> None:
    """A call is two changes."""
    if number % 2 == 0:
        office.phones.ask("INVITE", user, "caller")


KINDS: dict[str, tuple[str, Callable[[bytes], bytes | None], Callable[[Office, str, int], None]]] = {
    "publications": ("presence", _note_of, _publish),
    "calls": ("dialog", _leg_of, _call),
}


def measure(kind: str, users: int, each: int, changes: int, seconds: float) -> Result:
    """Let so many users change their state, so many of them a second."""
    event, mark_of, change = KINDS[kind]
    with Switchboard(SETTINGS) as board:
        office = Office(Phones(board.address), Phones(board.address), mark_of)
        names = [f"u{number}" for number in range(users)]
        office.ask_all(
            office.phones.ask("REGISTER", name, name, "Expires: 600") for name in [*names, "caller"]
        )
        office.ask_all(
            office.watchers.ask("SUBSCRIBE", name, f"w{number}", f"Event: {event}", "Expires: 600")
            for name in names
            for number in range(each)
        )
        office.run(lambda: False, SETTLE_S)
        pid = board.component("presence")["pid"] or 0
        before, began = costs([pid]), time.monotonic()
        for number in range(int(changes * seconds)):
            office.run(lambda: False, began + number / changes - time.monotonic())
            change(office, names[number * 7 % users], number)
        window_s = time.monotonic() - began
        cpu_s = spent(before, costs([pid]))[pid].cpu_s
        expected = int(changes * seconds) * each
        office.run(lambda: len(office.delays) >= expected, PATIENCE_S)
        return Result(kind, sorted(office.delays), expected, cpu_s / window_s)


def main(
    users: Annotated[int, typer.Option(min=1)] = 100,
    watchers: Annotated[int, typer.Option(min=1)] = 10,
    changes: Annotated[int, typer.Option(min=1)] = 50,
    seconds: Annotated[float, typer.Option(min=1)] = 10.0,
    write: Path | None = None,
) -> None:
    """Measure both kinds of changes."""
    results = [measure(kind, users, watchers, changes, seconds) for kind in KINDS]
    rows = [HEAD, ["---"] * len(HEAD), *(each.row() for each in results)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    what = f"{users * watchers} subscriptions to {users} users, {changes} changes a second for {seconds:g} s"
    text = f"{what}. {datetime.now(UTC):%Y-%m-%d}; {describe_machine()}.\n\n{table}"
    print(text)
    if write:
        write_section(write, SECTION, text)


if __name__ == "__main__":
    typer.run(main)
