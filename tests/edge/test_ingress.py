"""Both twins of the ingress: the same datagram goes the same way, as the same octets."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest
from compiled import needs_compiled_core
from flows import packed, udp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ingresses import LENIENT, MESSAGES, ROUTERS, STRICT, Bench, register, response
from sip.messages import anything, mutations

from switchboard import codec
from switchboard.core.domains import parse_networks
from switchboard.core.refusal import answer_on_stream, answer_statelessly
from switchboard.edge.ingress import DATAGRAMS_A_ROUND, STUN_A_SECOND, Ingress, IngressInPython
from switchboard.edge.rate_limit import FilterPolicy
from switchboard.sip.dispatch import NO_WAY, REGISTRAR
from switchboard.sip.scan import scan_in_python
from switchboard.sip.shares import call_id_sum
from switchboard.transports.udp_sockets import bind_sockets, enlarge_buffers

BUFFER_BYTES = 4 << 20


@pytest.fixture
def sockets() -> Iterator[list[socket.socket]]:
    sockets = bind_sockets("", 0)
    for sock in sockets:
        enlarge_buffers(sock, BUFFER_BYTES)
    yield sockets
    for sock in sockets:
        sock.close()


def agree(data: bytes, host: str = "10.0.0.11", port: int = 5060, local: str = "10.0.0.1") -> None:
    for policy, form in (
        (LENIENT, answer_statelessly),
        (STRICT, answer_statelessly),
        (STRICT, answer_on_stream),
    ):
        benches = [Bench(each, policy, form=form) for each in (Ingress, IngressInPython)]
        for bench in benches:
            bench.ingress.take(data, udp(host, port, local), 100.0)
        compiled, reference = (bench.outcome() for bench in benches)
        assert compiled == reference, data


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
def test_over_a_connection_an_answer_may_be_longer(make: type[Ingress] | type[IngressInPython]) -> None:
    raw = register(b"sip:10.0.0.1").replace(b"Call-ID: c\r\n", b"Call-ID: c\r\nl:0\r\n")
    for form, answers in ((answer_statelessly, 0), (answer_on_stream, 1)):
        bench = Bench(make, STRICT, form=form)
        bench.ingress.take(raw, udp("10.0.0.13", 5060, "10.0.0.1"), 1e5)
        assert (len(bench.boxes[-1].items), bench.ingress.stats()["answers_withheld"]) == (
            answers,
            1 - answers,
        )


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
def test_more_stun_than_phones_may_send_gets_no_answer(make: type[Ingress] | type[IngressInPython]) -> None:
    bench, request = Bench(make), bytes.fromhex("000100002112a442") + bytes(12)
    for number in range(STUN_A_SECOND + 5):
        bench.ingress.take(request, udp(f"192.0.{number // 250}.{number % 250}", 5060, "10.0.0.1"), 1e5)
    bench.ingress.take(request, udp("192.0.2.9", 5060, "10.0.0.1"), 1e5 + 1)
    assert len(bench.boxes[-1].items) == STUN_A_SECOND + 1
    assert bench.ingress.stats()["stun_withheld"] == 5


@needs_compiled_core
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_twins_agree(number: int) -> None:
    for data in (MESSAGES[number], *mutations(MESSAGES[number] or b"x", 50, seed=number)):
        agree(data)


RECORDS = (
    b"<sip:b@h>",
    b" sip:b@h ",
    b'"B <x>" <sip:b@h;transport=udp> ; x=">"',
    b"sip:b@h;tag=<1",
    b"<sip:b@h",
    b"B\r\n <sip:b@h>",
    b"<>",
    b"",
    b"<sip:\xff@h>",
)


@needs_compiled_core
@pytest.mark.parametrize("serving", [(0, 1, 2), (2,), (0, 1)])
def test_twins_agree_on_the_registrar(serving: tuple[int, ...]) -> None:
    benches = [Bench(each, registrars=3) for each in (Ingress, IngressInPython)]
    users = [b"<sip:%d@h>" % number for number in range(100)]
    for bench in benches:
        bench.dispatcher.let_register(serving)
        for to in (*RECORDS, *users):
            raw = register(b"sip:10.0.0.1").replace(b"<sip:b@h>", to)
            for data in (raw, *mutations(raw, 5, seed=len(to))):
                bench.ingress.take(data, udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    compiled, reference = (bench.outcome() for bench in benches)
    assert compiled == reference
    of_registrars = [len(box) for box in reversed(reference[0][ROUTERS:-1])]
    assert [number for number, count in enumerate(of_registrars) if count > 10] == list(serving)


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
def test_a_registrar_that_is_late_refuses_its_own_users_only(
    make: type[Ingress] | type[IngressInPython],
) -> None:
    bench = Bench(make, registrars=2)
    for at in (99.0, 99.5, 100.0):
        bench.edge_filter.admission_control.overload(REGISTRAR - 1).note(10.0, at)
    for number in range(100):
        raw = asked(b"REGISTER", b"<sip:%d@h>" % number).replace(b"Call-ID: c", b"Call-ID: %d" % number)
        bench.ingress.take(raw, udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    *_, second, first, answers = (len(box.items) for box in bench.boxes)
    assert (second, first + answers, first > 10, answers > 10) == (0, 100, True, True)


@needs_compiled_core
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_twins_agree_while_the_set_of_routers_changes(number: int) -> None:
    """Of two routers that leave, one holds the call; then neither is there any more."""
    benches = [Bench(each, leaving=(4, 12)) for each in (Ingress, IngressInPython)]
    for bench in benches:
        bench.dispatcher.held[call_id_sum(b"c")] = 4
        for data in mutations(MESSAGES[number] or b"x", 20, seed=number):
            bench.ingress.take(data, udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
        bench.ingress.take(MESSAGES[number], udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
        bench.dispatcher.held.clear()
        bench.dispatcher.ways[4], bench.dispatcher.ways[12] = NO_WAY, 0
        bench.dispatcher.serve([0])
        bench.ingress.take(MESSAGES[number], udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    assert benches[0].outcome() == benches[1].outcome()


@needs_compiled_core
@given(
    anything(),
    st.ip_addresses().map(str) | st.just("fe80::1234:5678:9abc:def0%a-long-name.4094"),
    st.integers(0, 65535),
    st.just("") | st.ip_addresses().map(str),
)
@settings(max_examples=300, deadline=None)
@example(MESSAGES[0] + bytes(65_000), "10.0.0.11", 127, "")
@example(register(b"sip:10.0.0.1", b"a:\r\n" * 9_000), "10.0.0.11", 128, "")
@example(register(b"sip:10.0.0.1", b"a:\r\n" * 30), "10.0.0.11", 255, "")
@example(MESSAGES[0], "10.0.0.11", 256, "")
def test_twins_agree_on_anything(data: bytes, host: str, port: int, local: str) -> None:
    agree(data, host, port, local)


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
@pytest.mark.parametrize(("family", "host"), [(0, "127.0.0.2"), (1, "::1")])
def test_what_waits_is_drained_in_order(
    make: type[Ingress] | type[IngressInPython], sockets: list[socket.socket], family: int, host: str
) -> None:
    """A full round of the largest and smallest datagrams, then the rest, then nothing."""
    bench = Bench(make)
    sock = sockets[family]
    raws = [MESSAGES[0] + Random(size).randbytes(size) for size in (0, 60_000, 1)]
    with socket.socket(sock.family, socket.SOCK_DGRAM) as phone:
        phone.bind((host, 0))
        for number in range(DATAGRAMS_A_ROUND + 6):
            phone.sendto(raws[number % 3], (host, sock.getsockname()[1]))
        port = phone.getsockname()[1]
    assert [bench.ingress.drain(sock, 100.0) for _ in range(3)] == [DATAGRAMS_A_ROUND, 6, 0]
    expected = [[packed(host, port, host), scan_in_python(raw), raw] for raw in raws]
    assert [codec.unpack(item) for item in bench.boxes[1].items] == (expected * 24)[: DATAGRAMS_A_ROUND + 6]


@needs_compiled_core
@pytest.mark.parametrize("host", ["10.0.0.12", "10.0.0.13", "10.0.0.14", "2001:db8::1"])
def test_twins_agree_on_the_filter(host: str) -> None:
    """Denied altogether, denied to register, free; floods among all that can come."""
    for number, data in enumerate(MESSAGES):
        for policy in (LENIENT, STRICT):
            benches = [Bench(Ingress, policy), Bench(IngressInPython, policy)]
            for bench in benches:
                for again in range(4):
                    bench.ingress.take(data, udp(host, 5060 + number), 100.0 + again / 10)
                bench.edge_filter.tell(101.0)
            assert benches[0].outcome() == benches[1].outcome(), data


@needs_compiled_core
@given(
    st.lists(
        st.tuples(st.sampled_from(["10.0.0.12", "10.0.0.14", "10.0.0.15"]), st.floats(0, 1.5)), max_size=30
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_twins_agree_on_who_sends_too_much(sent: list[tuple[str, float]], silent: bool) -> None:
    """Within the limit, beyond it, ignored and forgiven; exempt, and never heard."""
    policy = replace(STRICT, exempt=parse_networks(["10.0.0.15"]), silent=silent)
    benches = [Bench(Ingress, policy), Bench(IngressInPython, policy)]
    for bench in benches:
        now = 100.0
        for host, pause_s in sent:
            now += pause_s
            bench.ingress.take(MESSAGES[0], udp(host, 5060), now)
        bench.edge_filter.tell(now)
    assert benches[0].outcome() == benches[1].outcome()


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
@pytest.mark.parametrize(("host", "status"), [("10.0.0.12", b"403"), ("10.0.0.14", b"513")])
def test_a_refusal_leaves_at_once(
    make: type[Ingress] | type[IngressInPython], host: str, status: bytes
) -> None:
    bench = Bench(make, STRICT)
    raw = register(b"sip:10.0.0.1", b"Subject: a\r\n" * 10).replace(b"UDP h", b"UDP h:5070")
    bench.ingress.take(raw, udp(host, 5060, "10.0.0.1"), 100.0)
    *others, answers = bench.boxes
    (item,) = answers.items
    flow, response = codec.unpack(item)
    assert flow == packed(host, 5070, "10.0.0.1")
    assert response.startswith(b"SIP/2.0 " + status)
    assert not any(box.items for box in others)


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
@pytest.mark.parametrize(
    ("method", "to", "is_user", "passes"),
    [
        (b"INVITE", b"<sip:b@h>", False, False),
        (b"INVITE", b"<sip:b@h>", True, True),
        (b"INVITE", b"<sip:b@h>;tag=1", False, True),
        (b"NOTIFY", b"sip:b@h ; Tag = 1", False, True),
        (b"ACK", b"<sip:b@h>;tag=1", False, True),
    ],
)
@pytest.mark.parametrize("lines", [30 * b"X: y\r\n", b"Subject: " + 60_000 * b"x" + b"\r\n"])
def test_only_who_begins_something_unregistered_has_to_be_brief(
    make: type[Ingress] | type[IngressInPython],
    method: bytes,
    to: bytes,
    is_user: bool,
    passes: bool,
    lines: bytes,
) -> None:
    bench = Bench(make, FilterPolicy(largest=1500, most_fields=20))
    if is_user:
        bench.edge_filter.sources.phones.add("10.0.0.11", 5060, 99.0)
    raw = asked(method, to, lines).replace(b"Subject: any\r\n", b"")
    bench.ingress.take(raw, udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    *peers, answers = bench.boxes
    assert [codec.unpack(item)[2] for box in peers for item in box.items] == [raw] * passes
    assert [codec.unpack(item)[1][:11] for item in answers.items] == [b"SIP/2.0 513"] * (not passes)


@needs_compiled_core
def test_odd_datagrams_keep_their_place(sockets: list[socket.socket]) -> None:
    bench = Bench(Ingress)
    refused = b"INVITE sip:a@b SIP/2.0\r\nnonsense"
    raws = [response(b"h;branch=z9hG4bKsb0.x"), refused, response(b"h;branch=z9hG4bKsb0.y")]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        for raw in raws:
            phone.sendto(raw, ("127.0.0.1", sockets[0].getsockname()[1]))
    assert bench.ingress.drain(sockets[0], 100.0) == 3
    assert [codec.unpack(item)[2] for item in bench.boxes[0].items] == raws


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
def test_a_socket_that_is_none_is_an_error(make: type[Ingress] | type[IngressInPython]) -> None:
    with socket.socket() as sock:
        pass
    with pytest.raises(OSError, match="Bad file descriptor"):
        Bench(make).ingress.drain(sock, 100.0)


def hurried(make: type[Ingress] | type[IngressInPython], policy: FilterPolicy = LENIENT) -> Bench:
    """All its peers are so late that they take nothing new."""
    bench = Bench(make, policy)
    press(bench)
    return bench


def press(bench: Bench) -> None:
    for peer in (*range(ROUTERS), REGISTRAR):
        for at in (99.0, 99.5, 100.0):
            bench.edge_filter.admission_control.overload(peer).note(10.0, at)


@needs_compiled_core
@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_twins_agree_on_what_is_new(number: int) -> None:
    for data in (MESSAGES[number], *mutations(MESSAGES[number] or b"x", 50, seed=number)):
        benches = hurried(Ingress), hurried(IngressInPython)
        for bench in benches:
            bench.ingress.take(data, udp("10.0.0.11", 5060), 100.0)
        assert benches[0].outcome() == benches[1].outcome(), data


def asked(method: bytes, to: bytes = b"<sip:b@h>", lines: bytes = b"") -> bytes:
    raw = register(b"sip:10.0.0.1", b"Subject: any\r\n" * 20 + lines).replace(b"REGISTER", method)
    return raw.replace(b"To: <sip:b@h>", b"To: " + to)


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
@pytest.mark.parametrize(
    ("raw", "goes_on"),
    [
        (asked(b"INVITE"), False),
        (asked(b"MESSAGE"), False),
        (asked(b"REGISTER"), False),
        (asked(b"INVITE", b'"B" <sip:b@h>'), False),
        (asked(b"INVITE", b"<sip:b@h;tag=1>"), False),
        (asked(b"INVITE", b"<sip:b@h>;tag=1"), True),
        (asked(b"INVITE", b'"B" <sip:b@h>;tag=1'), True),
        (asked(b"INVITE", b'"<B>\\"" <sip:b@h>;x=">" ; Tag = 1'), True),
        (asked(b"INFO", b"sip:b@h;tag=1"), True),
        (asked(b"INFO", b"<sip:b@h>;tag=MTIz/k8="), True),
        (asked(b"INFO", b"<sip:b@h>;x=y;tag=a@b:{c|d}(?"), True),
        (asked(b"INFO", b'<sip:b@h>;tag="q"'), True),
        (asked(b"INFO", "<sip:b@h>;tag=\u017e".encode()), True),
        (asked(b"INFO", b"<sip:b@h>;tag=\xe9\xff"), True),
        (asked(b"INFO", b"Novak, Jan <sip:b@h>;tag=a="), True),
        (asked(b"INVITE", b"<sip:b@h>;tag="), False),
        (asked(b"ACK"), True),
        (asked(b"BYE"), True),
        (asked(b"CANCEL"), True),
        (response(b"h;branch=z9hG4bKsb0.x"), True),
    ],
)
def test_under_overload_only_what_was_begun_goes_on(
    make: type[Ingress] | type[IngressInPython], raw: bytes, goes_on: bool
) -> None:
    """Whoever is refused is told when to try again, at each retransmission the same."""
    bench = hurried(make)
    for _ in range(2):
        bench.ingress.take(raw, udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    *peers, answers = bench.boxes
    assert sum(len(box.items) for box in peers) == 2 * goes_on
    assert len(answers.items) == 2 * (not goes_on)
    assert len(set(answers.items)) <= 1
    for item in answers.items:
        text = codec.unpack(item)[1]
        assert text.startswith(b"SIP/2.0 503 ")
        assert b"\r\nRetry-After: " in text
    assert bench.edge_filter.stats()["sent_away_overload"] == 2 * (not goes_on)


@pytest.mark.parametrize("make", [Ingress, IngressInPython])
def test_the_ack_of_a_refusal_ends(make: type[Ingress] | type[IngressInPython]) -> None:
    bench = hurried(make)
    bench.ingress.take(asked(b"INVITE"), udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    refusal = codec.unpack(bench.boxes[-1].items[0])[1]
    to = next(line for line in refusal.split(b"\r\n") if line.startswith(b"To: "))
    bench.ingress.take(asked(b"ACK", to[4:]), udp("10.0.0.11", 5060, "10.0.0.1"), 100.0)
    assert not any(box.items for box in bench.boxes[:-1])
    assert bench.edge_filter.stats()["acks_ended"] == 1
    bench.ingress.take(
        asked(b"ACK", b'";tag=sbr." <sip:b@h>;tag=1'), udp("10.0.0.11", 5060, "10.0.0.1"), 100.0
    )
    assert sum(len(box.items) for box in bench.boxes[:-1]) == 1


@needs_compiled_core
def test_a_retransmission_is_known_to_both_twins() -> None:
    """What one of them admitted, the other would admit, too: they tell requests apart alike."""
    for data in MESSAGES:
        bench, other = Bench(Ingress), hurried(IngressInPython)
        bench.ingress.take(data, udp("10.0.0.11", 5060), 100.0)
        other.edge_filter.admission_control = bench.edge_filter.admission_control
        press(bench)
        other.ingress.take(data, udp("10.0.0.11", 5060), 100.0)
        assert not other.edge_filter.stats()["sent_away_overload"], data
