"""What tests of the compiled core share."""

from collections.abc import Callable

import pytest

from switchboard.sip.errors import ParseError
from switchboard.twins import core

needs_compiled_core = pytest.mark.skipif(core() != "compiled core", reason="the compiled core is not there")


def outcome(scanner: Callable[[bytes], bytes], data: bytes) -> object:
    """What a scanner makes of `data`: the index, or all that its error says."""
    try:
        return scanner(data)
    except ParseError as error:
        return error.reason, error.header, error.status
