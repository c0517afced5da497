"""A LAN with the switchboard at its hub and phones around it: calls in it, and what must hold of them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from system.capture import Capture, Packet, Trace
from system.harness import CallRecord, Switchboard
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.tools import require_root, require_tools

ANSWERED = ("100 Skúšanie", "180 Zvonenie", "200 V poriadku")
"""What a caller's phone is told of a call that is answered."""
CALL_METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "REFER", "NOTIFY")
"""These pass the switchboard, which record-routes; other requests may go from phone to phone."""

ENOUGH_RTP = 20
"""Media packets of one direction that prove that it flows: 0.4 s of speech."""


class Phone(Protocol):
    """A phone of any make."""

    @property
    def user(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def uri(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Lab:
    """All that a test with phones needs; it stands while the tests of one file run."""

    lan: Lan
    switchboard: Switchboard
    lukas: Linphone
    lenka: Linphone
    peter: Linphone
    zuzana: Linphone
    """Takes one call at a time."""

    @property
    def phones(self) -> Sequence[Linphone]:
        """All phones."""
        return self.lukas, self.lenka, self.peter, self.zuzana


@contextmanager
def standing_lab(
    home: Path, environment: Mapping[str, str], *, ring_s: int = 5, transport: str = "udp"
) -> Iterator[Lab]:
    """The lab, up, its phones registered over `transport`. `home`: for the phones' files; `ring_s`: theirs."""
    require_root()
    require_tools("ip", "tcpdump", "tshark", "linphonec")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "peter", "zuzana", "guest"]))
        settings = {"SWITCHBOARD_LANGUAGE": "sk", **environment}
        switchboard = stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub))
        make = partial(Linphone, lan, ring_s=ring_s, transport=transport)
        phones = [
            make("lukas", home / "lukas", video=True, outbound_proxy=True),
            make("lenka", home / "lenka", video=True),
            make("peter", home / "peter"),
            make("zuzana", home / "zuzana", max_calls=1),
        ]
        yield Lab(lan, switchboard, *(stack.enter_context(phone) for phone in phones))


def place_call(caller: Linphone, callee: Linphone, *, video: bool = False) -> tuple[int, int]:
    """Call and ring: returns the call's number at the caller's and at the callee's phone."""
    ours = caller.call(callee.user, video=video)
    theirs = callee.wait_incoming(caller.user)
    caller.wait_ringing(ours)
    return ours, theirs


def connect(caller: Linphone, callee: Linphone, *, video: bool = False) -> tuple[int, int]:
    """Call, ring and answer: returns the numbers when the streams run."""
    ours, theirs = place_call(caller, callee, video=video)
    callee.answer(theirs)
    caller.wait_media(ours)
    callee.wait_media(theirs)
    return ours, theirs


def wait_talk(wire: Capture, one: Linphone, other: Linphone, after_s: float = 0.0) -> Trace:
    """Return what went by as soon as media flow both ways between the phones, later than `after_s`."""

    def flows(trace: Trace, source: str, target: str) -> bool:
        return len([p for p in trace.rtp(source, target) if float(p.time) > after_s]) >= ENOUGH_RTP

    def flow_both_ways(trace: Trace) -> bool:
        return flows(trace, one.address, other.address) and flows(trace, other.address, one.address)

    return wire.wait_for(flow_both_ways, f"media between {one.user} and {other.user}")


def wait_told(wire: Capture, phone: Phone, expected: Sequence[str], call: int = 0) -> Trace:
    """Return what went by as soon as the phone was told the last of `expected` of an INVITE that began a call of it.

    It was told these, and nothing else. Each is "CODE phrase", or all are "CODE", in whichever language they are told.
    """
    has_phrases = " " in expected[0]

    def told(trace: Trace) -> list[str]:
        statuses = _statuses(trace, phone, call)
        return list(dict.fromkeys(each if has_phrases else each[:3] for each in statuses))

    trace = wire.wait_for(lambda trace: expected[-1] in told(trace), f"{expected[-1]} for {phone.user}")
    assert told(trace) == list(expected), f"{phone.user} was told {told(trace)}, not {expected}\n{trace}"
    return trace


def _statuses(trace: Trace, phone: Phone, call: int) -> list[str]:
    """Those of all responses to the INVITE that began a call of the phone; none if there is no such call."""
    if len(calls := trace.calls(phone.address)) <= call:
        return []
    first = next(packet for packet in trace.requests("INVITE") if packet.call_id == calls[call])
    responses = trace.responses("INVITE", target=phone.address, call_id=first.call_id)
    return [packet.status for packet in responses if packet.cseq == first.cseq]


def assert_record(
    lab: Lab,
    call_id: str,
    caller: Phone,
    callee: str,
    *,
    outcome: str,
    status: int,
    ended_by: str,
    rang: bool,
) -> CallRecord:
    """The journal has one record of the call, which says this, and its instants are in order; returns it.

    `callee` is a user. The URI that was dialled may have parameters.
    """
    record = lab.switchboard.wait_record(call_id)
    said = [record[name] for name in ("caller", "outcome", "status", "ended_by")]
    assert said == [caller.uri, outcome, status, ended_by], record
    assert record["callee"].partition(";")[0] == f"sip:{callee}@{HUB}", record
    marks = [record[name] is not None for name in ("ringing_at", "answered_at")]
    assert marks == [rang, status == 200], record
    names = ("started_at", "ringing_at", "answered_at", "ended_at")
    instants = [datetime.fromisoformat(record[name]) for name in names if record[name]]
    assert instants == sorted(instants), record
    return record


def assert_answered_record(
    lab: Lab, call_id: str, caller: Phone, callee: Phone, *, ended_by: str
) -> CallRecord:
    """Return the call's one record in the journal: it rang, was answered, and one of the two hung up."""
    record = assert_record(
        lab, call_id, caller, callee.user, outcome="answered", status=200, ended_by=ended_by, rang=True
    )
    assert record["duration_s"] > 0, record
    return record


def assert_sound(trace: Trace) -> None:
    """What holds of every capture: good syntax, calls through the switchboard, media past it, one final."""
    assert not trace.malformed(), _listed(trace.malformed())
    assert not trace.media_at(HUB), _listed(trace.media_at(HUB))
    around = [packet for packet in trace.sip_beside(HUB) if packet.cseq.rpartition(" ")[2] in CALL_METHODS]
    assert not around, _listed(around)
    assert not _own_481(trace), _listed(_own_481(trace))
    for invite, finals in _finals(trace).items():
        assert len(finals) == 1, f"{finals} for {invite}\n{trace}"


def _own_481(trace: Trace) -> list[Packet]:
    """The 481s that the switchboard sent without having received one for that request."""
    sent = [packet for packet in trace.packets if packet.status.startswith("481")]
    received = {(packet.call_id, packet.cseq) for packet in sent if packet.target == HUB}
    return [packet for packet in sent if (packet.call_id, packet.cseq) not in received]


def _finals(trace: Trace) -> dict[tuple[str, str, str], set[str]]:
    """What finals the switchboard sent for each INVITE, by its sender's address, Call-ID and CSeq."""
    finals: dict[tuple[str, str, str], set[str]] = {}
    for response in trace.responses("INVITE", source=HUB):
        if not response.status.startswith("1"):
            finals.setdefault((response.target, response.call_id, response.cseq), set()).add(response.status)
    return finals


def _listed(packets: Sequence[Packet]) -> str:
    return "\n".join(map(str, packets))
