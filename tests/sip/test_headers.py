"""The numbers of header fields: what other processes rely on."""

from switchboard.sip.headers import COMPACT, HEADER_BY_NAME, NUMBER_BY_WIRE_NAME, Header


def test_numbers_never_change() -> None:
    """They travel between processes: a new field gets the next number."""
    assert [header.name for header in Header] == [
        "OTHER", "VIA", "FROM", "TO", "CALL_ID", "CSEQ", "CONTACT", "MAX_FORWARDS", "ROUTE", "RECORD_ROUTE",
        "CONTENT_LENGTH", "EXPIRES", "PROXY_REQUIRE", "REQUIRE", "SUPPORTED", "PATH", "ACCEPT_LANGUAGE",
        "USER_AGENT", "WWW_AUTHENTICATE", "PROXY_AUTHENTICATE", "TIMESTAMP", "EVENT", "PROXY_AUTHORIZATION",
        "AUTHORIZATION", "CONTENT_TYPE", "P_ASSERTED_IDENTITY", "P_PREFERRED_IDENTITY", "REMOTE_PARTY_ID",
        "ALERT_INFO", "CALL_INFO", "MAX_BREADTH", "SESSION_EXPIRES",
    ]  # fmt: skip
    assert list(Header) == list(range(32))


def test_names() -> None:
    assert HEADER_BY_NAME["call-id"] is Header.CALL_ID
    assert HEADER_BY_NAME["www-authenticate"] is Header.WWW_AUTHENTICATE
    assert "other" not in HEADER_BY_NAME


def test_wire_names() -> None:
    """Lower case, long and compact (RFC 3261 §7.3.3)."""
    assert NUMBER_BY_WIRE_NAME[b"record-route"] == Header.RECORD_ROUTE
    assert {NUMBER_BY_WIRE_NAME[short.encode()] for short in COMPACT} == {
        HEADER_BY_NAME[long] for long in COMPACT.values()
    }
    assert len(NUMBER_BY_WIRE_NAME) == len(HEADER_BY_NAME) + len(COMPACT)
