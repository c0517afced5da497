"""Whether the time tells who exists: python -m bench.guesses [--guesses N]

Judges wrong passwords of a user who exists and of one who does not, one after the other, and prints how long
that took. *Longer* is how often a known user's guess takes longer than an unknown one's, of all pairs, ties
halved: 50 % is what one who cannot tell them apart sees. The row "same" compares two users who both exist.
"""

import argparse
import secrets
import statistics
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from switchboard.auth.authenticator import Attempt, Verifier
from switchboard.auth.digest import ALGORITHMS
from switchboard.auth.nonce import Nonces, Replays
from switchboard.auth.users import Record, Users, make_entry
from switchboard.storage.records import Page

REALM, URI, METHOD = "switchboard", "sip:pbx.example", "REGISTER"
HOP = "192.0.2.1", 5060
KNOWN, SAME, UNKNOWN = "lukas", "lenka", "nobod"
HEAD = (
    "| algorithm | user | lower quartile, ns | median, ns | upper quartile, ns | ratio of medians | longer |"
)


def make_verifier() -> Verifier:
    """With a thousand users, two of whom are asked for."""
    users = Users(REALM)
    names = [KNOWN, SAME, *map(str, range(1000))]
    records = [
        Record(number, *make_entry(name, REALM, secrets.token_hex()), 0.0)
        for number, name in enumerate(names, 1)
    ]
    users.apply(Page("one", 0, records, False))
    key = secrets.token_bytes(32)
    return Verifier(
        key, ALGORITHMS, users, Nonces(key, "registrar", 300.0, secrets.token_bytes), Replays(300.0)
    )


def guess(user: str, algorithm: str) -> str:
    """Credentials with a wrong response."""
    size = 64 if algorithm == "SHA-256" else 32
    return (
        f'Digest username="{user}", realm="{REALM}", nonce="{"n" * 28}", uri="{URI}", '
        f'response="{secrets.token_hex(size // 2)}", algorithm={algorithm}, '
        'qop=auth, nc=00000001, cnonce="0a4f113b"'
    )


def measure(verifier: Verifier, users: Sequence[str], algorithm: str, guesses: int) -> list[list[int]]:
    """Nanoseconds for each guess at each of the users, who take turns; sorted."""
    spent: list[list[int]] = [[] for _ in users]
    for number in range(guesses):
        for place in range(len(users)):
            turn = (place + number) % len(users)
            values = [guess(users[turn], algorithm)]
            attempt = Attempt(METHOD, URI, HOP, lambda uri: True, 0.0)  # noqa: ARG005
            began = time.perf_counter_ns()
            verifier.check(values, attempt)
            spent[turn].append(time.perf_counter_ns() - began)
    return [sorted(each) for each in spent]


def longer(one: Sequence[int], other: Sequence[int]) -> float:
    """The share of pairs in which the first of the sorted takes longer, ties halved."""
    below = sum(bisect_left(other, each) + bisect_right(other, each) for each in one)
    return below / (2 * len(one) * len(other))


def rows(algorithm: str, known: list[int], same: list[int], unknown: list[int]) -> list[str]:
    """Of the table, one for each user; each is compared with the known one."""
    lines = []
    for name, spent in (("known", known), ("same", same), ("unknown", unknown)):
        low, middle, high = statistics.quantiles(spent, n=4)
        ratio = statistics.median(known) / middle
        figures = f"{low:.0f} | {middle:.0f} | {high:.0f} | {ratio:.3f} | {longer(known, spent):.1%}"
        lines.append(f"| {algorithm} | {name} | {figures} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--guesses", type=int, default=100_000)
    asked = parser.parse_args()
    verifier = make_verifier()
    print(HEAD, "|" + "---|" * 7, sep="\n")
    for algorithm in ALGORITHMS:
        spent = measure(verifier, (KNOWN, SAME, UNKNOWN), algorithm, asked.guesses)
        print(*rows(algorithm, *spent), sep="\n")


if __name__ == "__main__":
    main()
