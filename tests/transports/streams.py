"""What has to hold for a channel, whatever a peer sends and however its octets arrive."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from hypothesis import strategies as st

from switchboard.transports.channel import Channel, ChannelError

LIMIT = 1500
"""Octets of a message that the channels of these tests take."""
MOST_HELD = 2 * LIMIT + 14


class Outcome(NamedTuple):
    """What a channel made of octets; `reason`: why it broke, "" if it did not."""

    messages: list[bytes]
    said: bytes
    reason: str
    close_with: bytes


class Broken(Exception):
    """A channel did what it never may."""


def outcome(channel: Channel, pieces: Iterable[bytes]) -> Outcome:
    """Feed the pieces one after the other. Broken: the channel held more than it may."""
    messages: list[bytes] = []
    said = b""
    for piece in pieces:
        try:
            messages += channel.feed(piece)
            said += channel.take_output()
        except ChannelError as error:
            said += channel.take_output()
            return Outcome([*messages, *error.messages], said, error.reason, error.close_with)
        if len(channel.pending) > MOST_HELD:
            raise Broken(f"{len(channel.pending)} octets are held")
    return Outcome(messages, said, "", b"")


def split(octets: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return the octets in pieces that end at `cuts`."""
    ends = sorted({cut % (len(octets) + 1) for cut in cuts} | {len(octets)})
    return [octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]


Make = Callable[[bool], Channel]
"""Makes a channel; False: octets were consumed."""


def check(make: Make, octets: bytes, cuts: Iterable[int]) -> None:
    """Broken, if the pieces yield something else than the whole, or successors, which may repeat pongs."""
    pieces = split(octets, cuts)
    whole = outcome(make(True), [octets])
    found = outcome(make(True), pieces)
    succeeded = outcome_by_successors(make, pieces)._replace(said=whole.said)
    if found != whole or succeeded != whole:
        raise Broken(f"{octets!r} by {[len(piece) for piece in pieces]}: {found} or {succeeded}, not {whole}")


def outcome_by_successors(make: Make, pieces: Iterable[bytes]) -> Outcome:
    """The same, where each piece is read by another channel, which has what was pending."""
    messages: list[bytes] = []
    said, pending = b"", b""
    fed = 0
    for piece in pieces:
        channel = make(fed == len(pending))
        fed += len(piece)
        found = outcome(channel, [pending + piece])
        messages += found.messages
        said += found.said
        if found.reason:
            return Outcome(messages, said, found.reason, found.close_with)
        pending = channel.pending
    return Outcome(messages, said, "", b"")


def all_cuts() -> st.SearchStrategy[list[int]]:
    """Where to cut."""
    return st.lists(st.integers(0, 4 * LIMIT), max_size=8)
