"""Feeds channels with spoilt streams, cut anywhere, for a while: python -m fuzz_streams --seconds 60; `make fuzz`.

Whatever comes, a channel raises nothing but ChannelError, holds little, and makes the same of the same octets.
"""

import argparse
import time
from random import Random

from sip.messages import TORTURE, mutations
from transports.streams import Make, check
from transports.test_framing import EMPTY, FULL, framing
from transports.test_websocket import REQUEST, frame, opened, websocket
from transports.tls_pairs import HALVES, check_records, sealed

from bench.messages import INVITE, RESPONSE
from switchboard.transports.tls_half import LARGEST_PLAIN, Content

A_SEED = 50
STREAM = EMPTY + b"\r\n\r\n" + FULL + b"\r\n" + EMPTY

FRAMES = (
    frame(EMPTY) + frame(b"hello", 9) + frame(FULL[:9], 1, fin=False) + frame(FULL[9:], 0) + frame(b"", 8)
)

TARGETS: dict[Make, list[bytes]] = {
    framing: [STREAM, FULL * 3, INVITE, RESPONSE, *TORTURE],
    websocket: [REQUEST + FRAMES, REQUEST + frame(INVITE, 2) + frame(b"\r\n\r\n"), REQUEST],
    opened: [FRAMES, frame(FULL) + frame(b"", 10) + frame(RESPONSE)],
}
"""Channels, and what their inputs are made of."""


DATA, ALERT, HANDSHAKE = Content.DATA, Content.ALERT, Content.HANDSHAKE
IN_RECORDS: list[list[tuple[int, bytes]]] = [
    [(DATA, EMPTY), (DATA, FULL[:9]), (HANDSHAKE, b"\x18\0\0\1\1")],
    [(DATA, STREAM[:50]), (DATA, STREAM[50:]), (DATA, b""), (ALERT, b"\1\0")],
    [(HANDSHAKE, b"\4\0\0\3abc"), (DATA, INVITE), (ALERT, b"\2\x28")],
    [(HANDSHAKE, b"\0\0\0\0"), (DATA, EMPTY)],
]
"""What records hold that are read behind a handshake of TLS."""


def step_in_tls(shape: Random) -> int:
    """Spoil records, or what they hold."""
    half, parts = shape.choice(HALVES), shape.choice(IN_RECORDS)
    at = shape.randrange(len(parts))
    whole = sealed(half, parts)
    spoilt = [
        *mutations(whole, A_SEED // 2, shape.getrandbits(32)),
        *(
            sealed(half, [*parts[:at], (parts[at][0], plain[:LARGEST_PLAIN]), *parts[at + 1 :]])
            for plain in mutations(parts[at][1] or b"\0", A_SEED // 2, shape.getrandbits(32))
        ),
    ]
    for octets in spoilt:
        check_records(half, octets, [shape.randrange(len(octets) + 1) for _ in range(shape.randint(0, 6))])
    return len(spoilt)


def step(shape: Random) -> int:
    """Try one seed and its mutations; return how many those are."""
    make, seeds = shape.choice(list(TARGETS.items()))
    for octets in mutations(shape.choice(seeds) or b"\0", A_SEED, shape.getrandbits(32)):
        check(make, octets, [shape.randrange(len(octets) + 1) for _ in range(shape.randint(0, 6))])
    return A_SEED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    arguments = parser.parse_args()
    shape, inputs = Random(arguments.seed), 0
    until = time.monotonic() + arguments.seconds
    while time.monotonic() < until:
        inputs += step(shape) + step_in_tls(shape)
    print(f"seed {arguments.seed}: {inputs} inputs; the channels hold")


if __name__ == "__main__":
    main()
