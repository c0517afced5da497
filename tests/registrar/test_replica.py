"""The routers' copy of the bindings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change
from switchboard.registrar.user_table import pack_users
from switchboard.sip.uri import SipUri

LATE = 100.0


def bound(contact: str, q: float = 1.0, expires_at: float = LATE, **more: Any) -> Binding:
    return Binding(contact, q, expires_at, **more)


def loaded(*bindings: Binding, user: str = "lukas") -> Replica:
    replica = Replica()
    replica.load((7, {user: list(bindings)}))
    return replica


def test_lookup_is_by_falling_q_and_leaves_out_what_cannot_be_called() -> None:
    replica = loaded(
        bound("sip:low@h", 0.1),
        bound("sip:first@h", 0.9),
        bound("mailto:a@h"),
        bound("sip:old@h", expires_at=50.0),
        bound("sip:second@h", 0.9),
    )
    assert [each.contact for each in replica.lookup("lukas", 50.0)] == [
        "sip:first@h",
        "sip:second@h",
        "sip:low@h",
    ]
    assert replica.lookup("lukas", LATE) == []
    assert replica.lookup("nobody", 0.0) == []


def test_is_known() -> None:
    replica = loaded()
    assert (replica.is_known("lukas"), replica.is_known("nobody")) == (True, False)


@pytest.mark.parametrize(
    ("host", "now_at", "expected"),
    [
        ("10.0.0.9", 0.0, True),
        ("2001:db8:0::7", 0.0, True),
        ("10.0.0.8", 0.0, False),
        ("10.0.0.9", LATE, False),
        ("", 0.0, False),
    ],
)
def test_registered_from(host: str, now_at: float, expected: bool) -> None:
    replica = loaded(bound("sip:a@10.0.0.9:5070", source="[2001:db8::7]:5060"))
    assert replica.registered_from("lukas", host, now_at) is expected
    assert replica.registered_from("nobody", host, now_at) is False


def test_apply_counts_without_a_gap() -> None:
    replica = loaded(bound("sip:a@h"))
    record = pack_users({"lukas": [bound("sip:b@h")]})
    assert replica.apply(9, record) is False
    assert replica.apply(7, record) is True
    assert [each.contact for each in replica.lookup("lukas", 0.0)] == ["sip:a@h"]
    assert replica.apply(8, pack_users({"lukas": [bound("sip:b@h")], "eva": []})) is True
    assert [each.contact for each in replica.lookup("lukas", 0.0)] == ["sip:b@h"]
    assert (replica.number, replica.is_known("eva")) == (8, True)


def test_a_binding_is_its_users_alone() -> None:
    """Whoever else registers the same contact."""
    contact = bound("sip:a@192.168.1.2:5060;ob", next_hop="203.0.113.7:4000", source="203.0.113.7:4000")
    replica = loaded(contact)
    moved = contact._replace(next_hop="203.0.113.8:1", source="203.0.113.8:1")
    replica.apply(8, pack_users({"eva": [moved]}))
    found = [
        replica.binding_at(user, SipUri.parse("sip:a@192.168.1.2;gr=x"), 0.0) for user in ("lukas", "eva")
    ]
    assert [each and each.next_hop for each in found] == ["203.0.113.7:4000", "203.0.113.8:1"]
    others = ("sip:b@192.168.1.2:5060", "sip:a@192.168.1.2:5061", "sip:a@192.168.1.3")
    assert not any(replica.binding_at("lukas", SipUri.parse(other), 0.0) for other in others)
    assert replica.binding_at("lukas", SipUri.parse("sip:a@192.168.1.2"), LATE) is None


def test_registered_at_tells_address_and_port() -> None:
    replica = loaded(
        bound("sip:a@10.0.0.1", source="10.0.0.1:4000"), bound("sip:b@h", source="[2001:db8::1]:5")
    )
    assert replica.registered_at("lukas", "10.0.0.1", 4000, 0.0)
    assert replica.registered_at("lukas", "2001:db8::1", 5, 0.0)
    assert not replica.registered_at("lukas", "10.0.0.1", 4001, 0.0)
    assert not replica.registered_at("lukas", "10.0.0.1", 4000, LATE)
    assert not replica.registered_at("eva", "10.0.0.1", 4000, 0.0)


bindings = st.lists(
    st.builds(
        bound,
        st.sampled_from(["sip:a@h", "sip:b@192.168.1.2", "tel:1"]),
        st.sampled_from([0.0, 0.5, 1.0]),
        next_hop=st.sampled_from(["", "203.0.113.7:4000"]),
        path=st.just(()) | st.just(("<sip:p;lr>",)),
    ),
    max_size=3,
)
batches = st.lists(
    st.dictionaries(st.sampled_from(["lukas", "eva", "ž\0"]), bindings, max_size=3), max_size=8
)


@given(batches, st.integers(0, 8))
def test_changes_and_snapshots_lead_to_what_the_store_holds(
    changes: list[dict[str, list[Binding]]], loaded_after: int
) -> None:
    store = SqliteStore(":memory:")
    replica = Replica()
    for position, users in enumerate(changes):
        with store.batch() as change:
            for user, found in users.items():
                store.put(user, found)
        if position == loaded_after:
            replica.load(store.snapshot())
        if change.records:
            body = change.pack()
            number, start = Change.split(body)
            assert replica.apply(number, body, start)
    assert replica.snapshot() == store.snapshot()
    store.close()
