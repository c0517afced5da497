"""Flows of UDP for tests."""

from switchboard.sip.flow import UDP, Flow


def udp(host: str, port: int, local: str = "") -> Flow:
    """The flow to `host` and `port` from our address `local`."""
    return Flow(UDP, local, host, port)


def packed(host: str, port: int, local: str = "") -> bytes:
    """The same as it crosses the bus."""
    return udp(host, port, local).pack()
