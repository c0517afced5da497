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

from bench.messages import INVITE, RESPONSE

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
        inputs += step(shape)
    print(f"seed {arguments.seed}: {inputs} inputs; the channels hold")


if __name__ == "__main__":
    main()
