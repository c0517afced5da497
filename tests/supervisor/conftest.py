"""What real processes of these tests leave behind."""

from collections.abc import Iterator

import pytest

from switchboard.supervisor.child import adopt_orphans


@pytest.fixture(autouse=True)
def _adopt_no_orphans_afterwards() -> Iterator[None]:
    """Forks become children of this process; the orphans of later tests are not to."""
    yield
    adopt_orphans(False)
