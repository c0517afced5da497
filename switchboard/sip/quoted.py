"""A request of ours as an ICMP error quotes it: its beginning, cut anywhere (RFC 792, RFC 1812, RFC 4443)."""

import re
from typing import NamedTuple

from switchboard.sip.dispatch import BRANCH_PREFIX

_START = re.compile(rb"([!-.0-~]+) [^\r\n]+ SIP/2\.0\r?\n")
_OWN_VIA = re.compile(
    rb"\nVia: SIP/2\.0/UDP [^\r\n;]+;branch=(" + BRANCH_PREFIX.encode() + rb"([0-9]{1,3})\.[!-~]+)\r"
)


class Quoted(NamedTuple):
    """The method, our branch, and the number of the router that made it."""

    method: str
    branch: str
    router: int


def parse_quoted(sent: bytes) -> Quoted | None:
    """Return what `sent` (untrusted) is; None if it is no request of ours, or ends before our Via does.

    Our Via is on top and as we write it, for we wrote it.
    """
    start = _START.match(sent)
    via = _OWN_VIA.search(sent, start.end() - 1) if start else None
    if not start or not via:
        return None
    return Quoted(start[1].decode("ascii"), via[1].decode("ascii"), int(via[2]))
