"""What the services' tests share."""

from collections.abc import Iterator

import pytest
from bus.contexts import OwningContext

from switchboard.bus.context import BusContext


@pytest.fixture
def context() -> Iterator[BusContext]:
    context = OwningContext()
    yield context
    context.destroy(linger=0)
