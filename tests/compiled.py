"""Tests of what only the compiled core has."""

import pytest

from switchboard.twins import core

needs_compiled_core = pytest.mark.skipif(core() != "compiled core", reason="the compiled core is not there")
