"""What one REGISTER says of all its contacts; who is behind address translation."""

import pytest
from registrar.registers import register

from switchboard.registrar.contacts import RequestedContact
from switchboard.registrar.update import Update
from switchboard.sip.message import parse_message


@pytest.mark.parametrize(
    ("contact", "sent_by", "source", "next_hop"),
    [
        ("sip:a@(null)", "(null)", ("10.0.0.9", 5061), "10.0.0.9:5061"),
        ("sip:a@[fe80::1%4]:5060", "h", ("10.0.0.9", 5061), "10.0.0.9:5061"),
        ("sip:a@192.168.1.2:5060", "192.168.1.2:5060", ("203.0.113.7", 40000), "203.0.113.7:40000"),
        ("sip:a@192.168.1.2:9", "192.168.1.2", ("203.0.113.7", 40000), "203.0.113.7:40000"),
        ("sip:a@[fd00:0::1]", "[FD00::1]:5060", ("2001:db8::7", 5060), "[2001:db8::7]:5060"),
        ("sip:a@10.0.0.9:5060", "10.0.0.9:5060", ("10.0.0.9", 40000), ""),
        ("sip:a@[fd00::1]", "[fd00::1]", ("fd00:0::1", 5060), ""),
        ("sip:a@10.0.0.8:5060", "10.0.0.9:5060", ("10.0.0.9", 5060), ""),
        ("sip:a@10.0.0.8:5060", "10.0.0.9:5060", ("203.0.113.7", 5060), ""),
        ("sip:a@phone.test", "phone.test", ("203.0.113.7", 5060), ""),
        ("mailto:a@192.168.1.2", "192.168.1.2", ("203.0.113.7", 5060), ""),
    ],
)
def test_next_hop(contact: str, sent_by: str, source: tuple[str, int], next_hop: str) -> None:
    update = Update.of(parse_message(register(sent_by=sent_by)), source)
    assert update.binding(RequestedContact(contact, 1.0, 60, ""), 1.0).next_hop == next_hop


def test_binding_has_all_of_the_request() -> None:
    raw = register(call_id="c", cseq=4, branch="z9hG4bKb", extra="User-Agent: Linphone\nPath: <sip:p;lr>")
    binding = Update.of(parse_message(raw), ("10.0.0.9", 5070)).binding(
        RequestedContact("sip:a@h", 0.5, 60, ";q=0.5"), 99.0
    )
    assert binding.to_wire() == [
        "sip:a@h", 0.5, 99.0, "", ("<sip:p;lr>",), ";q=0.5", "c", 4, "Linphone", "10.0.0.9:5070"
    ]  # fmt: skip
    assert binding.branch == "z9hG4bKb"


def test_user_agent_is_made_text_and_short() -> None:
    raw = register(extra="User-Agent: \udcff" + "x" * 300)
    assert Update.of(parse_message(raw), ("h", 1)).user_agent == "?" + "x" * 199


def test_call_id_that_is_no_text_is_kept() -> None:
    assert Update.of(parse_message(register(call_id="a\udcff")), ("h", 1)).call_id == "a\udcff"
