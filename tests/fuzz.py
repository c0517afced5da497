"""Compares the twins on mutated messages and frames for a while; `make fuzz` has AddressSanitizer watch.

The seeds are the torture files, the messages of the twins' own tests, and what well-formed mutants grew into.
"""

import argparse
import sys
import time
from array import array
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import zmq
from compiled import outcome
from flows import packed, udp
from ingresses import MESSAGES, Bench
from journal.scripts import item
from journal.tables import IN_MEMORY, LIVES, Twin
from journal.tables import twins as journals
from playbook import Board
from sip.messages import TORTURE, known_otherwise, mutations
from sip.test_splice_twins import ROUTES, assert_alike
from stage import BOUNDS, play
from translations import frame_of, translations
from workers.test_reception import FLOW, REGISTERS, Desk

from bench.messages import INVITE, RESPONSE
from switchboard import codec
from switchboard.bus.sockets import Ears, Mouth
from switchboard.edge.ingress import Ingress, IngressInPython
from switchboard.sip import fields
from switchboard.sip.address import NameAddr, read_bracketed
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.scan import scan, scan_in_python
from switchboard.sip.uri import SipUri, parse_uri_in_python, read_uri
from switchboard.transports.udp_datagrams import Sender
from switchboard.transports.udp_sockets import bind_sockets
from switchboard.twins import core
from switchboard.wal import segment
from switchboard.wal.keyed_log import KeyedLog, KeyedLogInPython

A_SEED = 50
GROWN = 200
LARGEST = 20_000


class Disagreement(Exception):
    """The twins have not done the same; the input is in the text."""


class Fuzzer:
    """Mutates seeds; `seed` makes the run repeatable."""

    def __init__(self, seed: int) -> None:
        self.shape = Random(seed)
        self.inputs = 0
        self.taken = 0
        self.seeds = [*TORTURE, *MESSAGES, INVITE, RESPONSE]
        self.grown: list[bytes] = []
        self.sockets = bind_sockets(
            "127.0.0.1", 0
        )  # reaches this machine only, whatever addresses chance makes
        self.sender = Sender(self.sockets)
        self.edges = (Bench(Ingress), Bench(IngressInPython))
        self.open = ExitStack()
        self.translations = self.open.enter_context(translations())
        self.pair = Pair()
        self.logs = Path(self.open.enter_context(TemporaryDirectory()))

    def close(self) -> None:
        self.pair.close()
        self.open.close()
        for sock in self.sockets:
            sock.close()

    def step(self) -> None:
        """One seed and its mutations."""
        raw = self.shape.choice(self.seeds if not self.grown or self.shape.random() < 0.5 else self.grown)
        for data in mutations(raw or b"\0", A_SEED, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_scan(data)
            self.compare_ingress(data)
        for data in mutations(self.frame(raw), A_SEED, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_sending(data)
        for data in mutations(frame_of(raw), A_SEED, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_translation(data)
            self.pair.carry(data)
        for data in mutations(records_of(raw), A_SEED // 5, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_logs(data)
        for data in mutations(self.telling(raw), A_SEED // 5, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_journals(data)
        desks = Desk(in_python=True), Desk(in_python=False)
        for data in mutations(self.shape.choice(REGISTERS), A_SEED // 5, self.shape.getrandbits(32)):
            self.inputs += 1
            self.compare_registrars(desks, data)
        for _ in range(A_SEED // 5):
            self.inputs += 1
            self.compare_calls()

    def compare_registrars(self, desks: tuple[Desk, Desk], register: bytes) -> None:
        """A REGISTER, by both ways from the frame to its answer."""
        index = outcome(scan, register)
        if isinstance(index, bytes) and len(register) <= LARGEST:
            answers = [(desk.take([FLOW, index, register]), desk.seen()) for desk in desks]
            if answers[0] != answers[1]:
                raise Disagreement(f"REGISTER: {register!r}")

    def compare_calls(self) -> None:
        """Calls at random, by the engine and by its reference."""
        steps = [
            tuple(self.shape.randint(0, most) for most in BOUNDS) for _ in range(self.shape.randint(1, 40))
        ]
        try:
            play(Board(fragile=self.shape.random() < 0.2), steps)
        except AssertionError as error:
            raise Disagreement(f"calls: {steps}") from error

    def compare_logs(self, records: bytes) -> None:
        if self.found(KeyedLog, records) != self.found(KeyedLogInPython, records):
            raise Disagreement(f"log: {records!r}")

    def found(self, kind: type[KeyedLog | KeyedLogInPython], records: bytes) -> list[tuple[bytes, bytes]]:
        """What a log finds whose only commit has these octets."""
        for path in self.logs.iterdir():
            path.unlink()
        (self.logs / "0000000001.log").write_bytes(segment.HEADER + segment.commit_head(records) + records)
        log = kind(self.logs)
        items = list(log.items())
        log.close()
        return items

    def telling(self, raw: bytes) -> bytes:
        """The events of a few calls, packed; a message has their Call-IDs."""
        names = raw.decode("utf-8", "surrogateescape").splitlines()[:3] or [""]
        events = [event for name in names for event in self.shape.choice(LIVES)(name)]
        return codec.pack([0, "first", [item(number, event) for number, event in enumerate(events, 1)]])

    def compare_journals(self, body: bytes) -> None:
        with journals(IN_MEMORY) as both:
            if made_of(body, both[0]) != made_of(body, both[1]):
                raise Disagreement(f"journal: {body!r}")

    def compare_scan(self, data: bytes) -> None:
        result = outcome(scan, data)
        if result != outcome(scan_in_python, data):
            raise Disagreement(f"scan: {data!r}")
        if isinstance(result, bytes) and len(data) <= LARGEST:
            self.taken += 1
            self.compare_fields(data, array("H", result))
            self.compare_surgery(Message(data, result))
            self.compare_addresses(Message(data, result))
            self.grown = [*self.grown[-GROWN:], data]

    def compare_fields(self, data: bytes, index: "array[int]") -> None:
        """Also over the index of a message that was cut: nothing may be read beyond its end."""
        for raw in (data, data[: self.shape.randrange(len(data))]):
            for number in Header:
                if fields.value(raw, index, number) != fields.value_in_python(raw, index, number):
                    raise Disagreement(f"field {number}: {raw!r} of {data!r}")
                if span_of(fields.value_span, raw, index, number) != span_of(
                    fields.value_span_in_python, raw, index, number
                ):
                    raise Disagreement(f"span of field {number}: {raw!r} of {data!r}")
            if fields.top_via_span(raw, index) != fields.top_via_span_in_python(raw, index):
                raise Disagreement(f"top Via: {raw!r} of {data!r}")
            if different := known_otherwise(raw, index.tobytes()):
                raise Disagreement(f"{different}: {raw!r} of {data!r}")

    def compare_surgery(self, message: Message) -> None:
        try:
            assert_alike(message, self.shape.choice(ROUTES))
        except AssertionError as error:
            raise Disagreement(f"surgery: {message.raw!r}") from error

    def compare_addresses(self, message: Message) -> None:
        """The Request-URI, and each address of routes and contacts whole."""
        for number in (Header.ROUTE, Header.RECORD_ROUTE, Header.CONTACT):
            for value in message.all(number):
                read = read_bracketed(value)
                if read is not None and read != NameAddr.parse(value).uri:
                    raise Disagreement(f"address: {value!r}")
                self.compare_uri(value.strip().strip("<>"))
        self.compare_uri(message.uri)

    def compare_uri(self, text: str) -> None:
        read = read_uri(text)
        if read is not None and str(SipUri(*read)) != str(parse_uri_in_python(text)):
            raise Disagreement(f"URI: {text!r}")

    def compare_ingress(self, data: bytes) -> None:
        port = self.shape.choice((0, 127, 128, 255, 256, 5060))
        for edge in self.edges:
            edge.ingress.take(data, udp("10.0.0.11", port), 0.0)
        outcome, expected = (edge.outcome() for edge in self.edges)
        if outcome != expected:
            raise Disagreement(f"ingress: {data!r}")
        for edge in self.edges:
            for box in edge.boxes:
                box.items.clear()

    def compare_translation(self, data: bytes) -> None:
        both = self.translations.compare(data)
        if both is not None and both[0] != both[1]:
            raise Disagreement(f"translation: {data!r}")

    def frame(self, raw: bytes) -> bytes:
        port = self.sockets[0].getsockname()[1]
        return codec.pack(
            [[packed("127.0.0.1", port, "127.0.0.1"), raw[:300]], [packed("127.0.0.1", port), b"x"]]
        )

    def compare_sending(self, data: bytes) -> None:
        done = self.sender.send_items(data, 0)
        if done is not None and done != self.sent_one_by_one(data):
            raise Disagreement(f"sending: {data!r}")

    def sent_one_by_one(self, data: bytes) -> tuple[int, int]:
        sent = [self.sender.send(raw, Flow.unpack(flow)) for flow, raw in codec.unpack(data)]
        return sum(sent), len(sent) - sum(sent)


def made_of(body: bytes, journal: Twin) -> object:
    """What a journal makes of a packed telling."""
    try:
        journal.take(body)
    except codec.CodecError as error:
        return str(error)
    return journal.known(), journal.changes()


def records_of(raw: bytes) -> bytes:
    """The records of a commit that sets the lines of a message, and erases a few."""
    records = []
    for number, line in enumerate(raw.split(b"\r\n")):
        key = line[:4]
        records += [segment.record_head(key, len(line)), key, line]
        if number % 4 == 3:
            records += [segment.record_head(key, segment.ERASED), key]
    return b"".join(records)


class Pair:
    """Two compiled ends of a socket; what is in a frame is nothing to them."""

    def __init__(self) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.sockets = [self.context.socket(zmq.PAIR) for _ in range(2)]
        self.sockets[0].bind("inproc://pair")
        self.sockets[1].connect("inproc://pair")
        self.ears, self.mouth = Ears(self.sockets[:1]), Mouth(self.sockets[1])

    def carry(self, data: bytes) -> None:
        """Disagreement if a frame does not arrive as it was sent, and alone."""
        if not (self.mouth.send(data) and self.ears.wait(1.0)):
            raise Disagreement(f"nothing arrived: {data!r}")
        if (self.ears.take(0), self.ears.take(0)) != (data, None):
            raise Disagreement(f"another frame arrived: {data!r}")

    def close(self) -> None:
        self.context.destroy(linger=0)


def span_of(look_up: Callable[..., tuple[int, int]], *arguments: object) -> tuple[int, int] | None:
    """Where the field stands; None if there is none."""
    try:
        return look_up(*arguments)
    except ValueError:
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    arguments = parser.parse_args()
    if core() != "compiled core":
        sys.exit(f"There is nothing to compare: this is the {core()}. `make fuzz` builds what is needed.")
    fuzzer = Fuzzer(arguments.seed)
    until = time.monotonic() + arguments.seconds
    while time.monotonic() < until:
        fuzzer.step()
    fuzzer.close()
    print(f"seed {arguments.seed}: {fuzzer.inputs} inputs, {fuzzer.taken} well-formed; the twins agree")


if __name__ == "__main__":
    main()
