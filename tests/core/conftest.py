"""Every test of the proxy floor runs twice: in one life, and with a crash after each step."""

from collections.abc import Iterator

import playbook
import pytest


@pytest.fixture(autouse=True, params=[False, True], ids=["whole", "crashing"])
def fragile(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether the boards of this test crash after each step and go on from what they wrote ahead."""
    playbook.FRAGILE[0] = request.param
    yield request.param
    playbook.FRAGILE[0] = False
