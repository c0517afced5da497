"""Every test of the core runs in one life and with a crash after each step, by the reference and with the engine."""

from collections.abc import Iterator
from itertools import product

import playbook
import pytest

from switchboard.core.native import IS_COMPILED

LIVES = [
    pytest.param(both, id=f"{'crashing' if both[0] else 'whole'}-{'engine' if both[1] else 'reference'}")
    for both in product((False, True), (False, True))
]


@pytest.fixture(autouse=True, params=LIVES)
def fragile(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the boards of this test crash after each step and go on from what they wrote ahead."""
    is_fragile, is_native = request.param
    if is_native and not IS_COMPILED:
        pytest.skip("the engine is not compiled")
    playbook.FRAGILE[0], playbook.NATIVE[0] = is_fragile, is_native
    yield is_fragile
    playbook.FRAGILE[0], playbook.NATIVE[0] = False, True
