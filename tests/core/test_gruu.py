"""GRUUs: the examples of RFC 5627, and what nobody but us can make, read, or recognise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.core.gruu import Gruus, canonical_instance, is_gruu
from switchboard.sip.uri import SipUri

INSTANCE = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
PUBLIC = f"sip:callee@example.com;gr={INSTANCE}"
AOR = SipUri.parse("sip:callee@example.com")
GRUUS = Gruus(b"k" * 32)


def temporary(distinction: str = "1", call_id: str = "call", gruus: Gruus = GRUUS) -> SipUri:
    return SipUri.parse(gruus.temporary(AOR, INSTANCE, call_id, distinction))


def test_public_as_in_rfc_5627() -> None:
    assert GRUUS.public(AOR, INSTANCE) == PUBLIC


def test_public_is_of_the_address_of_record_alone() -> None:
    aor = SipUri.parse("sip:callee:secret@example.com:5070;transport=tcp?x=y")
    assert GRUUS.public(aor, INSTANCE) == f"sip:callee@example.com:5070;gr={INSTANCE}"


def test_public_names_user_and_instance() -> None:
    named = GRUUS.read(SipUri.parse(PUBLIC))
    assert named == ("callee", GRUUS.instance(INSTANCE), b"")
    assert named is not None
    assert not named.is_temporary


def test_a_uuid_may_be_spelled_otherwise() -> None:
    assert canonical_instance("URN:UUID:A-1") == "urn:uuid:a-1"
    assert canonical_instance("urn:gsma:imei:A") == "urn:gsma:imei:A"
    read = GRUUS.read(SipUri.parse("sip:callee@example.com;GR=urn:uuid:F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"))
    assert read is not None
    assert read.instance == GRUUS.instance(INSTANCE)


def test_temporary_looks_as_in_rfc_5627_and_tells_nothing() -> None:
    uri = temporary()
    assert str(uri).startswith("sip:tgruu.")
    assert str(uri).endswith("@example.com;gr")
    assert "callee" not in str(uri)
    assert is_gruu(uri)


def test_temporary_names_user_instance_and_registration() -> None:
    named = GRUUS.read(temporary())
    assert named == ("callee", GRUUS.instance(INSTANCE), GRUUS.registration("call"))
    assert named is not None
    assert named.is_temporary


def test_another_distinction_makes_another_one_that_has_nothing_in_common() -> None:
    one, other = temporary("1").username, temporary("2").username
    assert one != other
    assert sum(a == b for a, b in zip(one[6:], other[6:], strict=True)) < 16
    assert temporary("1").username == one


@given(st.text(min_size=1, max_size=15), st.text(min_size=1, max_size=15))
def test_length_does_not_tell_the_user(user: str, other: str) -> None:
    def size(name: str) -> int:
        aor = SipUri("sip", "x", None, "h", None)
        aor.username = name
        return len(GRUUS.temporary(aor, INSTANCE, "c", "d"))

    if max(len(name.encode()) for name in (user, other)) < 15:
        assert size(user) == size(other)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:callee@example.com",
        "sip:callee@example.com;gr",
        "sip:example.com;gr=urn:uuid:1",
        "sip:tgruu.@example.com;gr",
        "sip:tgruu.AAAA@example.com;gr",
        "sip:tgruu.%00%ff@example.com;gr",
        f"sip:tgruu.{'A' * 56}@example.com;gr",
        f"sip:tgruu.{'A' * 5000}@example.com;gr",
        str(temporary(gruus=Gruus(b"x" * 32))),
    ],
)
def test_others_are_none(uri: str) -> None:
    assert GRUUS.read(SipUri.parse(uri)) is None


@given(st.data())
def test_no_temporary_one_can_be_changed(data: st.DataObject) -> None:
    text = str(temporary())
    at = data.draw(st.integers(len("sip:tgruu."), text.index("@") - 2))
    letter = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda each: each != text[at]))
    assert GRUUS.read(SipUri.parse(text[:at] + letter + text[at + 1 :])) is None


@given(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=60),
    st.text(max_size=20),
)
def test_what_is_made_is_read(user: str, instance: str, call_id: str) -> None:
    aor = SipUri.parse("sip:x@example.com")
    aor.username = user
    read = GRUUS.read(SipUri.parse(GRUUS.temporary(aor, instance, call_id, "d")))
    assert read == (user, GRUUS.instance(instance), GRUUS.registration(call_id))
    public = SipUri.parse(GRUUS.public(AOR, instance))
    assert GRUUS.read(public) == ("callee", GRUUS.instance(instance), b"")
