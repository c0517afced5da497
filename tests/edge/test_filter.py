"""What the filter lets pass."""

from typing import Any

import pytest

from switchboard.core.domains import AccessList, parse_networks
from switchboard.edge.filter import AGAIN_S, LINES_A_SECOND, EdgeFilter, Notices, Refused
from switchboard.edge.rate_limit import FilterPolicy
from switchboard.sip.message import Message, parse_message


def test_a_notice_names_event_and_source() -> None:
    notices = Notices()
    notices.add("scanner dropped", "192.0.2.1", 100.0, user_agent="x")
    assert notices.take() == [("scanner dropped", {"source": "192.0.2.1", "user_agent": "x"})]
    assert notices.take() == []


def test_the_same_is_told_again_after_a_while_only() -> None:
    notices = Notices()
    for now in (100.0, 101.0, 99.0 + AGAIN_S, 100.0 + AGAIN_S):
        notices.add("scanner dropped", "192.0.2.1", now)
    notices.add("flood ignored", "192.0.2.1", 101.0)
    assert [event for event, _ in notices.take()] == ["scanner dropped"] * 2 + ["flood ignored"]


def test_many_sources_make_a_bounded_number_of_lines() -> None:
    notices = Notices()
    for number in range(1000):
        notices.add("scanner dropped", f"source {number}", 100.0 + number / 500)
    told = notices.take()
    assert len(told) == 2 * LINES_A_SECOND
    assert notices.suppressed == 1000 - len(told)


STRANGER, LOCAL = "192.0.2.1", "10.0.0.1"
OFFICE = AccessList(allow=parse_networks(["10.0.0.0/8"]))


def message(start: str = "OPTIONS sip:a@b SIP/2.0", lines: str = "") -> Message:
    method = start.split()[0] if not start.startswith("SIP") else "OPTIONS"
    return parse_message(
        f"{start}\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n"
        f"Call-ID: a\r\nCSeq: 1 {method}\r\n{lines}\r\n".encode()
    )


def refused(policy: FilterPolicy, received: Message, host: str = STRANGER) -> int | None:
    """The status of the refusal; None: it passed."""
    edge_filter = EdgeFilter(policy)
    try:
        edge_filter.check(received, host, 100.0)
    except Refused as refusal:
        assert (
            sum(edge_filter.stats()[name] for name in ("forbidden", "scanners", "oversized", "acks_ended"))
            == 1
        )
        return refusal.status
    return None


def test_all_passes_by_default() -> None:
    assert refused(FilterPolicy(), message()) is None


@pytest.mark.parametrize(
    ("policy", "host", "start", "expected"),
    [
        ({"access": OFFICE}, STRANGER, "OPTIONS sip:a@b SIP/2.0", 403),
        ({"access": OFFICE}, LOCAL, "OPTIONS sip:a@b SIP/2.0", None),
        ({"access": OFFICE}, STRANGER, "ACK sip:a@b SIP/2.0", 0),
        ({"access": OFFICE}, STRANGER, "SIP/2.0 200 OK", 0),
        ({"access": OFFICE, "silent": True}, STRANGER, "OPTIONS sip:a@b SIP/2.0", 0),
        ({"methods": {"OPTIONS": OFFICE}}, STRANGER, "OPTIONS sip:a@b SIP/2.0", 403),
        ({"methods": {"OPTIONS": OFFICE}}, STRANGER, "SIP/2.0 200 OK", None),
        ({"methods": {"REGISTER": OFFICE}}, STRANGER, "OPTIONS sip:a@b SIP/2.0", None),
    ],
)
def test_access(policy: dict[str, Any], host: str, start: str, expected: int | None) -> None:
    assert refused(FilterPolicy(**policy), message(start), host) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("User-Agent: Friendly-Scanner\r\n", 0),
        ("User-Agent:\r\n sipvicious/0.3\r\n", 0),
        ("User-Agent: Linphone\r\n", None),
        ("Subject: sipvicious\r\n", None),
    ],
)
def test_scanners_are_dropped(lines: str, expected: int | None) -> None:
    policy = FilterPolicy(scanners=("friendly-scanner", "sipvicious"))
    assert refused(policy, message(lines=lines)) == expected


def test_a_response_may_say_what_it_likes() -> None:
    policy = FilterPolicy(scanners=("friendly-scanner",))
    assert refused(policy, message("SIP/2.0 200 OK", "User-Agent: friendly-scanner\r\n")) is None


@pytest.mark.parametrize("policy", [FilterPolicy(largest=200), FilterPolicy(most_fields=5)])
def test_what_is_too_large_is_refused(policy: FilterPolicy) -> None:
    lines = f"Subject: {100 * 'x'}\r\n"
    assert refused(policy, message(lines=lines)) == 513
    assert refused(policy, message("A sip:a@b SIP/2.0")) is None


@pytest.mark.parametrize("start", ["ACK sip:a@b SIP/2.0", "BYE sip:a@b SIP/2.0", "SIP/2.0 200 Very Well"])
def test_what_was_begun_may_be_large(start: str) -> None:
    assert (
        refused(FilterPolicy(largest=200, most_fields=5), message(start, f"Subject: {100 * 'x'}\r\n")) is None
    )


@pytest.mark.parametrize("method", ["NOTIFY", "INVITE", "MESSAGE"])
def test_so_may_what_belongs_to_a_dialog(method: str) -> None:
    raw = message(f"{method} sip:a@b SIP/2.0", f"Subject: {100 * 'x'}\r\n").raw
    within = parse_message(raw.replace(b"To: <sip:a@b>", b"To: <sip:a@b>;tag=1"))
    assert refused(FilterPolicy(largest=200, most_fields=5), within) is None


def test_so_may_what_a_registered_phone_sends() -> None:
    edge_filter, large = (
        EdgeFilter(FilterPolicy(largest=200)),
        message("INVITE sip:a@b SIP/2.0", f"Subject: {100 * 'x'}\r\n"),
    )
    edge_filter.sources.phones.add(STRANGER, 5060, 100.0)
    edge_filter.check(large, STRANGER, 100.0)
    with pytest.raises(Refused):
        edge_filter.check(large, LOCAL, 100.0)


def test_an_ack_of_a_stateless_answer_ends() -> None:
    raw = message("ACK sip:a@b SIP/2.0").raw.replace(b"To: <sip:a@b>", b"To: <sip:a@b>;tag=sbr.1")
    assert refused(FilterPolicy(), parse_message(raw)) == 0


def test_operators_are_told_of_floods_and_scanners() -> None:
    edge_filter = EdgeFilter(FilterPolicy(rate=1.0, burst=2.0, ignored_s=5.0, scanners=("evil",)))
    with pytest.raises(Refused):
        edge_filter.check(message(lines="User-Agent: evil source=1.2.3.4 \x1b\xe9\r\n"), STRANGER, 100.0)
    assert [edge_filter.hears(STRANGER, 5060, 100.0) for _ in range(4)] == [True, True, False, False]
    edge_filter.tell(100.0)
    assert edge_filter.notices.take() == [
        ("scanner dropped", {"source": STRANGER, "user_agent": "evil_source_1.2.3.4____"}),
        ("flood ignored", {"source": STRANGER, "limit_a_second": "1", "ignored_s": "5"}),
    ]
    assert edge_filter.stats()["datagrams.ignored"] == 2
