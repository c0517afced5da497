"""What is asked of every message that is kept, by a glance: most are never looked at again."""

import re

from switchboard.bus.share import call_id_on_wire
from switchboard.sip.fields import text_of

_CSEQ = re.compile(rb"\n[Cc][Ss][Ee][Qq][ \t]*:[ \t]*([0-9]+)[ \t]+([^\s]+)")
_STATUS = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9][0-9])[ \t]*([^\r\n]*)", re.IGNORECASE)
_METHOD = re.compile(rb"([A-Za-z0-9\-.!%*_+`'~]+)[ \t]")


def call_id_of(raw: bytes) -> str:
    """The Call-ID, as `readable`; "" if there is none."""
    return readable(text_of(call_id_on_wire(raw)))


def readable(text: str) -> str:
    """The same for SQLite and terminals: what stands for bytes that are no UTF-8 becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


def status_of(raw: bytes) -> tuple[int, str]:
    """The status and reason phrase of a response; (0, "") of a request."""
    match = _STATUS.match(raw)
    return (int(match[1]), match[2].decode("utf-8", "replace").strip()) if match else (0, "")


def method_of(raw: bytes) -> str:
    """The method of a request; of a response the one that its CSeq names."""
    if status_of(raw)[0]:
        match = _CSEQ.search(raw)
        return match[2].decode("latin-1") if match else ""
    match = _METHOD.match(raw)
    return match[1].decode("latin-1") if match else ""
