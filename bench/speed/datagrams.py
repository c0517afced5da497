"""The kernel's counters of UDP in this network namespace."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Datagrams:
    """`sent`: by anybody; `dropped`: because the receiver's buffer was full."""

    sent: int
    dropped: int

    def __sub__(self, earlier: "Datagrams") -> "Datagrams":
        return Datagrams(self.sent - earlier.sent, self.dropped - earlier.dropped)


def count_datagrams() -> Datagrams:
    """How many there have been so far."""
    return parse_snmp(Path("/proc/net/snmp").read_text())


def parse_snmp(text: str) -> Datagrams:
    """The counters, from the text of /proc/net/snmp."""
    names, values = (line.split()[1:] for line in text.splitlines() if line.startswith("Udp:"))
    counted = dict(zip(names, map(int, values), strict=True))
    return Datagrams(counted["OutDatagrams"], counted["RcvbufErrors"])
